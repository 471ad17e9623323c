use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tamarack_rats::{HardwareReport, TSM_REPORT, TsmReport};

use super::super::{
    HardwareAttester, PlatformFault,
    attributes::{Attributes, MAX_REPORT, report_data},
};

/// How often a report is tried that others disturb.
const ATTEMPTS: usize = 8;

/// An entry of configfs-tsm: a folder in which the kernel answers.
pub(super) struct Reports<A> {
    /// Held while a report is made: one entry makes one at a time.
    attributes: Mutex<A>,
    entry: PathBuf,
}

/// What came of one attempt.
enum Attempt {
    Report(TsmReport),
    /// Somebody else used the entry meanwhile.
    Disturbed,
}

impl<A: Attributes> Reports<A> {
    /// Reports by an entry of `dir` that is named after `id`, the same at every start.
    pub(super) fn new(attributes: A, dir: &Path, id: &[u8; 32]) -> Self {
        let id = u64::from_be_bytes(*id.first_chunk().unwrap_or(&[0; 8]));
        Self {
            attributes: Mutex::new(attributes),
            entry: dir.join(format!("tamarack-{id:016x}")),
        }
    }

    /// Writes `inblob` and reads what answers it, and that nobody wrote in between.
    fn attempt(&self, attributes: &A, inblob: &[u8; 64]) -> Result<Attempt, PlatformFault> {
        let read = |name: &str| {
            let path = self.entry.join(name);
            attributes
                .read(&path)
                .map_err(PlatformFault::file("read", &path))
        };
        let before = self.generation(&read("generation")?)?;
        let path = self.entry.join("inblob");
        let written = attributes.write(&path, inblob);
        let answer = written
            .map_err(PlatformFault::file("write", &path))
            .and_then(|()| read("outblob"));
        let outblob = match answer {
            // The kernel refuses a report that would not be that of the last write.
            Err(error) if is_conflict(&error) => {
                // It takes writes again once the report is read.
                let _ = read("outblob");
                return Ok(Attempt::Disturbed);
            }
            other => other?,
        };
        let auxblob = match read("auxblob") {
            // Not every provider has it.
            Err(PlatformFault::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Vec::new()
            }
            Err(error) if is_conflict(&error) => return Ok(Attempt::Disturbed),
            other => other?,
        };
        let provider = String::from_utf8_lossy(&read("provider")?).trim().into();
        if self.generation(&read("generation")?)? != before.wrapping_add(1) {
            return Ok(Attempt::Disturbed);
        }
        Ok(Attempt::Report(TsmReport {
            provider,
            outblob,
            auxblob,
        }))
    }

    fn generation(&self, text: &[u8]) -> Result<u64, PlatformFault> {
        let text = String::from_utf8_lossy(text);
        text.trim().parse().map_err(|_| {
            let path = self.entry.join("generation");
            PlatformFault::Unavailable(format!("{} holds no number", path.display()))
        })
    }
}

impl<A: Attributes> HardwareAttester for Reports<A> {
    fn report(&self, binding: &[u8; 32]) -> Result<HardwareReport, PlatformFault> {
        // Whatever panicked, the next attempt starts over.
        let attributes = &*self
            .attributes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match attributes.make_folder(&self.entry) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(PlatformFault::file("make the folder", &self.entry)(error));
            }
            _ => {}
        }
        let inblob = report_data(binding);
        for _ in 0..ATTEMPTS {
            let Attempt::Report(mut report) = self.attempt(attributes, &inblob)? else {
                continue;
            };
            if report.outblob.len() + report.auxblob.len() > MAX_REPORT {
                // A Verifier can get certificates elsewhere.
                report.auxblob.clear();
            }
            return match report.outblob.len() {
                1..=MAX_REPORT => Ok(HardwareReport {
                    media_type: TSM_REPORT.into(),
                    bytes: report.encode(),
                }),
                len => Err(PlatformFault::Unavailable(format!(
                    "the report in {} has {len} bytes, which Evidence has no use for",
                    self.entry.display()
                ))),
            };
        }
        Err(PlatformFault::Unavailable(format!(
            "somebody else keeps using {}: {ATTEMPTS} reports in a row were disturbed",
            self.entry.display()
        )))
    }
}

fn is_conflict(error: &PlatformFault) -> bool {
    use io::ErrorKind::{ResourceBusy, WouldBlock};
    matches!(error, PlatformFault::File { source, .. } if matches!(source.kind(), ResourceBusy | WouldBlock))
}
