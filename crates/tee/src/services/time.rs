use tamarack_ta::ResultCode;
use zeroize::Zeroizing;

use super::{Area, Place, TaServices, kind};
use crate::clock;

impl TaServices {
    /// Seconds since 1970-01-01 UTC, as far as the TEE knows.
    pub(crate) fn now(&self) -> u64 {
        clock::now()
    }

    /// Milliseconds since the TEE started; never goes back.
    pub(crate) fn system_time(&self) -> u64 {
        u64::try_from(self.around.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time that the TA set, and what went by since, in seconds.
    pub(crate) fn persistent_time(&mut self) -> Result<u64, ResultCode> {
        let record = self.read(&place())?.ok_or(ResultCode::TIME_NOT_SET)?;
        let (set, at) = record
            .split_first_chunk()
            .ok_or(ResultCode::CORRUPT_OBJECT)?;
        let at = at.try_into().map_err(|_| ResultCode::CORRUPT_OBJECT)?;
        // A clock before the moment when the time was set was turned back.
        let passed = self.now().checked_sub(u64::from_be_bytes(at));
        let passed = passed.ok_or(ResultCode::TIME_NEEDS_RESET)?;
        let now = u64::from_be_bytes(*set).checked_add(passed);
        now.ok_or(ResultCode::OVERFLOW)
    }

    /// Sets the TA's own time.
    pub(crate) fn set_persistent_time(&mut self, seconds: u64) -> Result<(), ResultCode> {
        let record = [seconds.to_be_bytes(), self.now().to_be_bytes()].concat();
        self.write(place(), Zeroizing::new(record))
    }
}

fn place() -> Place {
    (Area::Private, vec![kind::TIME])
}
