//! `tamarack bench tee`: commands, objects and installations, in this process, beside the bare work.

mod bare;
mod home;

use std::{hint::black_box, thread, time::Duration};

use clap::Args;
use serde::Serialize;

use super::messages::time;
use crate::{
    failure::Failure,
    output::{Output, table},
    progress::Progress,
};
use bare::BareStore;
use home::Home;

const BENCHMARK: &[u8] = include_bytes!("../../../../../examples/prebuilt/benchmark-1.wasm");

/// Commands of the Trusted Application `benchmark`.
const NOTHING: u32 = 0;
const CHECKSUM: u32 = 1;
const WRITE: u32 = 2;
const READ: u32 = 3;

/// The TEE: commands, objects, installations and memory, each beside its bare cost.
#[derive(Args)]
pub(crate) struct Tee {
    /// Milliseconds to spend on each figure.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    milliseconds: u64,
    /// Largest payload that is installed, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=512))]
    largest: u64,
}

/// One figure beside its floor.
#[derive(Serialize)]
struct Figure {
    what: String,
    microseconds: f64,
    /// What is measured beside it.
    floor: &'static str,
    floor_microseconds: f64,
    /// Measured over floor; 1 would be free.
    ratio: f64,
}

/// Bytes of memory.
#[derive(Serialize)]
struct Memory {
    what: String,
    bytes: u64,
}

#[derive(Serialize)]
struct Figures {
    times: Vec<Figure>,
    /// Commands that do nothing, in a second, with a thread and an application for each core.
    commands_per_second: f64,
    threads: usize,
    memory: Vec<Memory>,
}

impl Tee {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let budget = Duration::from_millis(self.milliseconds);
        let mut home = Home::new()?;
        home.install("bench/ta", BENCHMARK)?;
        let mut times = commands(&home, budget)?;
        times.extend(objects(&home, budget)?);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let commands_per_second = throughput(&mut home, threads, budget)?;
        let mut memory = vec![sessions(&home)?];
        let largest = self.largest << 20;
        let sizes = (10..).step_by(3).map(|power| 1_u64 << power);
        let sizes: Vec<u64> = sizes
            .take_while(|size| *size < largest)
            .chain([largest])
            .collect();
        let mut progress = Progress::new(output);
        progress.begin("installing", Some(sizes.iter().sum()));
        for size in sizes {
            let (figure, peak) = installation(&mut home, size, budget)?;
            times.push(figure);
            memory.extend((size == largest).then_some(peak));
            progress.advance(size);
        }
        progress.end();
        let figures = Figures {
            times,
            commands_per_second,
            threads,
            memory,
        };
        output.result(&figures, || text(&figures));
        Ok(())
    }
}

fn text(figures: &Figures) -> String {
    let row = |figure: &Figure| {
        vec![
            figure.what.clone(),
            format!("{:.2}", figure.microseconds),
            figure.floor.into(),
            format!("{:.3}", figure.floor_microseconds),
            format!("{:.2}", figure.ratio),
        ]
    };
    let rows: Vec<_> = figures.times.iter().map(row).collect();
    let times = table(&["WHAT", "µs", "FLOOR", "µs", "RATIO"], &rows);
    let rows: Vec<_> = figures
        .memory
        .iter()
        .map(|memory| vec![memory.what.clone(), format!("{} KiB", memory.bytes >> 10)])
        .collect();
    let memory = table(&["MEMORY", ""], &rows);
    format!(
        "{times}\n\n{memory}\n\n{:.0} commands a second that do nothing, from {} threads",
        figures.commands_per_second, figures.threads
    )
}

fn figure(what: String, measured: f64, floor: &'static str, floor_microseconds: f64) -> Figure {
    Figure {
        what,
        microseconds: measured,
        floor,
        floor_microseconds,
        ratio: measured / floor_microseconds,
    }
}

fn size_text(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

fn commands(home: &Home, budget: Duration) -> Result<Vec<Figure>, Failure> {
    let session = home.open("bench/ta")?;
    let input = vec![0xA5; 64 << 10];
    let nothing: fn(&[u8]) -> u32 = |bytes| u32::from(!bytes.is_empty());
    let call = time(budget, || {
        black_box(black_box(nothing)(black_box(&[])));
        Ok::<_, Failure>(())
    })?;
    let invoked = time(budget, || home.invoke(session, NOTHING, &[]))?;
    let native = time(budget, || {
        black_box(bare::checksum(black_box(&input)));
        Ok::<_, Failure>(())
    })?;
    let checksum = time(budget, || home.invoke(session, CHECKSUM, &input))?;
    let copied = time(budget, || {
        black_box(black_box(&input).clone());
        Ok::<_, Failure>(())
    })?;
    let passed = time(budget, || home.invoke(session, NOTHING, &input))?;
    home.tee
        .applications()
        .close(session)
        .map_err(super::messages::failure)?;
    let opened = time(budget, || {
        let session = home.open("bench/ta")?;
        let closed = home.tee.applications().close(session);
        closed.map_err(super::messages::failure)
    })?;
    Ok(vec![
        figure(
            "a command that does nothing".into(),
            invoked,
            "native call",
            call,
        ),
        figure("64 KiB of input".into(), passed, "native copy", copied),
        figure("checksum of 64 KiB".into(), checksum, "native code", native),
        figure(
            "open and close a session".into(),
            opened,
            "native call",
            call,
        ),
    ])
}

fn objects(home: &Home, budget: Duration) -> Result<Vec<Figure>, Failure> {
    let session = home.open("bench/ta")?;
    let bare = BareStore::new(home.folder())?;
    let mut figures = Vec::new();
    for size in [1 << 10, 64 << 10, 1 << 20] {
        let data = vec![7; size];
        let written = time(budget, || home.invoke(session, WRITE, &data))?;
        let floor = time(budget, || bare.write(&data))?;
        let size = size_text(size as u64);
        let what = format!("write an object of {size}");
        figures.push(figure(what, written, "redb write", floor));
        let read = time(budget, || home.invoke(session, READ, &[]))?;
        let floor = time(budget, || bare.read())?;
        let what = format!("read an object of {size}");
        figures.push(figure(what, read, "redb read", floor));
    }
    Ok(figures)
}

/// Commands of as many applications as there are threads: those of one take turns.
fn throughput(home: &mut Home, threads: usize, budget: Duration) -> Result<f64, Failure> {
    let names: Vec<String> = (0..threads)
        .map(|number| format!("bench/ta{number}"))
        .collect();
    for name in &names {
        home.install(name, BENCHMARK)?;
    }
    let home = &*home;
    let measured = thread::scope(|scope| {
        let running: Vec<_> = names
            .iter()
            .map(|name| {
                scope.spawn(move || {
                    let session = home.open(name)?;
                    time(budget, || home.invoke(session, NOTHING, &[]))
                })
            })
            .collect();
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        let ended = ended.map(|outcome| {
            outcome.unwrap_or_else(|_| Err(Failure::new("a thread of the benchmark died")))
        });
        ended.collect::<Result<Vec<f64>, Failure>>()
    })?;
    Ok(measured.iter().map(|microseconds| 1e6 / microseconds).sum())
}

/// What an open session takes.
fn sessions(home: &Home) -> Result<Memory, Failure> {
    const COUNT: u64 = 32;
    let before = bare::resident()?;
    let sessions: Vec<u64> = (0..COUNT)
        .map(|_| home.open("bench/ta"))
        .collect::<Result<_, _>>()?;
    let after = bare::resident()?;
    for session in sessions {
        let closed = home.tee.applications().close(session);
        closed.map_err(super::messages::failure)?;
    }
    Ok(Memory {
        what: "an open session".into(),
        bytes: after.saturating_sub(before) / COUNT,
    })
}

/// Installs a payload; and the memory that this took at its peak, beyond the payload of this benchmark.
fn installation(home: &mut Home, size: u64, budget: Duration) -> Result<(Figure, Memory), Failure> {
    let payload = vec![0x5A; usize::try_from(size).unwrap_or(usize::MAX)];
    // A payload is hashed when it is written, and when what is installed is recorded; and sealed once.
    let floor = time(budget, || bare::hash_and_seal(home.crypto(), &payload))?;
    bare::forget_peak()?;
    let before = bare::resident()?;
    let name = format!("bench/payload{size}");
    let installed = time(budget, || home.install(&name, &payload))?;
    let peak = bare::peak()?.saturating_sub(before);
    let text = size_text(size);
    Ok((
        figure(
            format!("install {text}"),
            installed,
            "hash twice, seal",
            floor,
        ),
        Memory {
            what: format!("installing {text}, peak"),
            bytes: peak,
        },
    ))
}
