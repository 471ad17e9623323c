use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::{Line, Lines, Settings, TraceError};

/// Lines that wait for the disk; what comes on top of them is lost, and counted.
const WAITING: usize = 64;

/// How long the end of a trace waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens the file to append to it.
pub(crate) fn open(settings: &Settings) -> Result<File, TraceError> {
    let path = &settings.file;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = options.open(path).map_err(TraceError::io(path))?;
    let metadata = file.metadata().map_err(TraceError::io(path))?;
    let occupied = || TraceError::Occupied { path: path.clone() };
    if !metadata.is_file() {
        return Err(occupied());
    }
    if metadata.len() > 0 {
        let mut start = [0; 16];
        let read = file.read(&mut start).map_err(TraceError::io(path))?;
        if !start.get(..read).is_some_and(Lines::recognise) {
            return Err(occupied());
        }
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(TraceError::io(path))?;
    }
    Ok(file)
}

/// Writes lines on a thread of its own.
pub(crate) struct Writer {
    lines: Mutex<Option<SyncSender<Line>>>,
    lost: std::sync::Arc<AtomicU64>,
    ended: Mutex<Receiver<()>>,
}

impl Writer {
    pub(crate) fn start(file: File, limit: u64) -> io::Result<Self> {
        let (sender, lines) = sync_channel(WAITING);
        let (end, ended) = channel();
        let lost = std::sync::Arc::new(AtomicU64::new(0));
        let mut work = Work {
            file,
            limit,
            lost: std::sync::Arc::clone(&lost),
            stopped: false,
        };
        thread::Builder::new().name("trace".into()).spawn(move || {
            work.run(&lines);
            // Whether anybody waits does not matter.
            let _ = end.send(());
        })?;
        Ok(Self {
            lines: Mutex::new(Some(sender)),
            lost,
            ended: Mutex::new(ended),
        })
    }

    /// Hands a line to the thread, which never waits for anything.
    pub(crate) fn write(&self, line: Line) {
        let Ok(lines) = self.lines.lock() else { return };
        let Some(lines) = lines.as_ref() else { return };
        match lines.try_send(line) {
            // The thread is gone only if the trace has ended.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => drop(self.lost.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Waits for what was handed over, within bounds.
    pub(crate) fn finish(&self) {
        if let Ok(mut lines) = self.lines.lock() {
            *lines = None;
        }
        if let Ok(ended) = self.ended.lock() {
            // A disk that hangs keeps its lines.
            let _ = ended.recv_timeout(PATIENCE);
        }
    }
}

struct Work {
    file: File,
    limit: u64,
    lost: std::sync::Arc<AtomicU64>,
    /// Nothing more is written: the file is full or does not take anything.
    stopped: bool,
}

impl Work {
    fn run(&mut self, lines: &Receiver<Line>) {
        for line in lines {
            if self.stopped {
                continue;
            }
            if let Err(error) = self.write(&line) {
                self.stopped = true;
                tracing::warn!(%error, "the trace ends here; exchanges go on");
            }
        }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = Vec::new();
        // Others append too: where the end is, and whether a crash left half a line, is looked up each time.
        let end = self.file.seek(SeekFrom::End(0))?;
        if end > 0 {
            let mut last = [0];
            self.file.seek(SeekFrom::End(-1))?;
            self.file.read_exact(&mut last)?;
            if last != *b"\n" {
                bytes.push(b'\n');
            }
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let note =
                format!("{lost} messages before this one are missing: the disk was too slow");
            bytes.extend(note_like(line, note).encode());
        }
        bytes.extend(line.encode());
        if end.saturating_add(bytes.len() as u64) > self.limit {
            self.stopped = true;
            let note = note_like(
                line,
                format!("the limit of {} bytes is reached", self.limit),
            );
            tracing::warn!(
                limit = self.limit,
                "the trace is full and ends here; exchanges go on"
            );
            // The last line says why it is the last; it is small against any limit that is of use.
            return self.file.write_all(&note.encode());
        }
        self.file.write_all(&bytes)
    }
}

/// A note beside a line.
fn note_like(line: &Line, note: String) -> Line {
    Line {
        exchange: 0,
        to: None,
        tam: None,
        status: None,
        body: None,
        fault: None,
        note: Some(note),
        ..line.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )]

    use std::{fs, path::Path};

    use crate::{Lines, Party, Settings, Trace, TraceError};

    fn write(settings: &Settings, messages: usize) {
        let trace = Trace::open(settings, Party::Agent).unwrap();
        for _ in 0..messages {
            trace
                .exchange(Some("http://tam"))
                .sent(Party::Tam, &[7; 100]);
            // Slower than the thread: nothing is lost.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    // req: TEEP-OPS-004
    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace");
        let settings = Settings::new(&file);
        write(&settings, 1);
        assert_eq!(mode(&file), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        write(&settings, 1);
        assert_eq!(mode(&file), 0o600);
        assert_eq!(Lines::read(&fs::read(&file).unwrap()).lines.len(), 2);
    }

    #[test]
    fn half_a_line_of_a_crash_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace");
        write(&Settings::new(&file), 2);
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 30]).unwrap();
        write(&Settings::new(&file), 1);
        let lines = Lines::read(&fs::read(&file).unwrap());
        assert_eq!((lines.lines.len(), lines.faults.len()), (2, 1));
    }

    #[test]
    fn the_limit_is_kept_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let limit = 2000;
        let settings = Settings {
            limit,
            ..Settings::new(folder.path().join("trace"))
        };
        write(&settings, 20);
        let bytes = fs::read(&settings.file).unwrap();
        let lines = Lines::read(&bytes);
        assert!(bytes.len() as u64 <= limit + 300 && lines.lines.len() > 3);
        let last = lines.lines.last().unwrap();
        assert!(last.note.as_ref().unwrap().contains("2000 bytes"));
        assert_eq!(
            lines
                .lines
                .iter()
                .filter(|line| line.note.is_some())
                .count(),
            1
        );
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thesis");
        fs::write(&file, "Chapter 1").unwrap();
        for path in [&file, Path::new("/dev/null")] {
            let refused = Trace::open(&Settings::new(path), Party::Tam);
            assert!(
                matches!(refused, Err(TraceError::Occupied { .. })),
                "{path:?}"
            );
        }
        assert_eq!(fs::read(&file).unwrap(), b"Chapter 1");
        let missing = Settings::new(folder.path().join("no/folder"));
        assert!(matches!(
            Trace::open(&missing, Party::Tam),
            Err(TraceError::Io { .. })
        ));
    }

    #[test]
    fn several_writers_do_not_mix_lines() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path().join("trace"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| write(&settings, 20));
            }
        });
        let lines = Lines::read(&fs::read(&settings.file).unwrap());
        assert_eq!((lines.lines.len(), lines.faults), (80, Vec::new()));
    }

    #[test]
    fn no_trace_costs_nothing() {
        let trace = Trace::default();
        assert!(!trace.is_on());
        trace.exchange(None).sent(Party::Tam, b"message");
    }
}
