use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use super::{VersionMatch, bounded, label::wait_event as label, open, several};
use crate::Limits;

/// What directive Wait waits for (parameter 29): events that must all have happened.
// req: SUIT-UPD-020
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitInfo<'a>(Vec<WaitEvent<'a>>);

/// One event of [`WaitInfo`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitEvent<'a> {
    /// 1: the application agrees to an update of this priority; the smaller, the more urgent.
    Authorization(i64),
    /// 2: a power state, which the deployment defines.
    Power(i64),
    /// 3: a network state, which the deployment defines.
    Network(i64),
    /// 4: another device has a version. What identifies it, and how its version is obtained, the
    /// deployment's profile defines (SUIT-UPD-023).
    OtherDeviceVersion {
        /// The other device.
        device: Cow<'a, [u8]>,
        /// At least one comparison; all must hold.
        versions: Vec<VersionMatch>,
    },
    /// 5: an instant, in seconds since 1970-01-01 UTC.
    Time(u64),
    /// 6: a time of day, in seconds since 00:00:00 local time.
    TimeOfDay(u64),
    /// 7: a day of the week in local time; Sunday is 0.
    DayOfWeek(u64),
    /// 8: a time of day, in seconds since 00:00:00 UTC.
    TimeOfDayUtc(u64),
    /// 9: a day of the week in UTC; Sunday is 0.
    DayOfWeekUtc(u64),
    /// A label that is not registered, with its encoded value. Never supported.
    Other {
        /// The label.
        label: i64,
        /// The encoded value.
        value: Cow<'a, [u8]>,
    },
}

const RULE: &str = "SUIT_Wait_Event";
/// Most comparisons with the version of another device.
const MAX_VERSIONS: usize = 8;

impl<'a> WaitInfo<'a> {
    /// These events; `None` if there is none, or two have one label.
    #[must_use]
    pub fn new(events: Vec<WaitEvent<'a>>) -> Option<Self> {
        let repeated = |(at, event): (usize, &WaitEvent<'_>)| {
            let mut before = events.iter().take(at);
            before.any(|other| other.label() == event.label())
        };
        let good = !events.is_empty() && !events.iter().enumerate().any(repeated);
        good.then_some(Self(events))
    }

    /// The events, in the order of the encoding.
    #[must_use]
    pub fn events(&self) -> &[WaitEvent<'a>] {
        &self.0
    }

    /// Decodes the content of the parameter's byte string.
    ///
    /// # Errors
    ///
    /// If it is not a map of at least one event.
    pub fn decode(content: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::read(&mut open(content, limits, RULE)?, limits)
    }

    pub(super) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let count = reader.map(RULE)?;
        if count == 0 {
            return Err(start.error(RULE, Problem::OutOfBounds("one event or more")));
        }
        let count = bounded(count, limits, reader, RULE)?;
        several(count, || WaitEvent::read(reader)).map(Self)
    }

    /// The encoded map, without a byte string around it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let entry = |event: &WaitEvent<'_>| Writer::build(|w| event.write(w));
        Writer::build(|w| {
            w.sorted_map(self.0.iter().map(entry).collect());
        })
    }
}

impl<'a> WaitEvent<'a> {
    /// The label in the registry of wait events.
    #[must_use]
    pub fn label(&self) -> i64 {
        match self {
            Self::Authorization(_) => label::AUTHORIZATION,
            Self::Power(_) => label::POWER,
            Self::Network(_) => label::NETWORK,
            Self::OtherDeviceVersion { .. } => label::OTHER_DEVICE_VERSION,
            Self::Time(_) => label::TIME,
            Self::TimeOfDay(_) => label::TIME_OF_DAY,
            Self::DayOfWeek(_) => label::DAY_OF_WEEK,
            Self::TimeOfDayUtc(_) => label::TIME_OF_DAY_UTC,
            Self::DayOfWeekUtc(_) => label::DAY_OF_WEEK_UTC,
            Self::Other { label, .. } => *label,
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        Ok(match reader.int(RULE)? {
            0 => return Err(start.error(RULE, Problem::OutOfBounds("labels other than 0"))),
            label::AUTHORIZATION => Self::Authorization(reader.int(RULE)?),
            label::POWER => Self::Power(reader.int(RULE)?),
            label::NETWORK => Self::Network(reader.int(RULE)?),
            label::OTHER_DEVICE_VERSION => {
                const RULE: &str = "SUIT_Wait_Event_Argument_Other_Device_Version";
                reader.array_of(2, "an array of device and versions", RULE)?;
                let device = reader.bytes(RULE)?.into();
                let start = reader.clone();
                let count = reader.array(RULE)?;
                if !(1..=MAX_VERSIONS).contains(&count) {
                    return Err(start.error(RULE, Problem::OutOfBounds("1 to 8 comparisons")));
                }
                let versions = several(count, || VersionMatch::read(reader))?;
                Self::OtherDeviceVersion { device, versions }
            }
            label::TIME => Self::Time(reader.uint(RULE)?),
            label::TIME_OF_DAY => Self::TimeOfDay(reader.uint(RULE)?),
            label::DAY_OF_WEEK => Self::DayOfWeek(reader.uint(RULE)?),
            label::TIME_OF_DAY_UTC => Self::TimeOfDayUtc(reader.uint(RULE)?),
            label::DAY_OF_WEEK_UTC => Self::DayOfWeekUtc(reader.uint(RULE)?),
            label => Self::Other {
                label,
                value: reader.raw(RULE)?.into(),
            },
        })
    }

    fn write(&self, w: &mut Writer) {
        w.int(self.label());
        match self {
            Self::Authorization(value) | Self::Power(value) | Self::Network(value) => {
                w.int(*value);
            }
            Self::OtherDeviceVersion { device, versions } => {
                w.array(2).bytes(device).array(versions.len());
                for version in versions {
                    version.write(w);
                }
            }
            Self::Time(value)
            | Self::TimeOfDay(value)
            | Self::DayOfWeek(value)
            | Self::TimeOfDayUtc(value)
            | Self::DayOfWeekUtc(value) => {
                w.uint(*value);
            }
            Self::Other { value, .. } => {
                w.raw(value);
            }
        }
    }

    /// Whether an event that is about time has come, `now` being in seconds since 1970-01-01 UTC and
    /// `zone` how many seconds local time is ahead of UTC now. `None` if the event is not about time, or
    /// about local time where no zone is configured.
    ///
    /// A time of day has come from that second to the end of the day. A local time that daylight saving
    /// skips has therefore come with the first second after the gap, and one that occurs twice with its
    /// first occurrence; a zone that changes during a wait counts from the next look at it.
    // req: SUIT-UPD-021, SUIT-UPD-022
    #[must_use]
    pub fn has_come(&self, now: u64, zone: Option<i64>) -> Option<bool> {
        let utc = DayAndTime::of(now);
        let local = zone.map(|ahead| DayAndTime::of(now.saturating_add_signed(ahead)));
        Some(match self {
            Self::Time(time) => now >= *time,
            Self::TimeOfDay(time) => local?.seconds >= *time,
            Self::DayOfWeek(day) => local?.day_of_week == *day,
            Self::TimeOfDayUtc(time) => utc.seconds >= *time,
            Self::DayOfWeekUtc(day) => utc.day_of_week == *day,
            _ => return None,
        })
    }
}

/// An instant in parts.
#[derive(Clone, Copy)]
struct DayAndTime {
    /// Sunday is 0.
    day_of_week: u64,
    seconds: u64,
}

impl DayAndTime {
    /// Of an instant in seconds since 1970-01-01; one after the year 19000 counts as the end of time.
    fn of(instant: u64) -> Self {
        // A day has 675 times 128 seconds: with these, 32 bits suffice, and small machines have no 64 bits
        // to divide.
        let units = u32::try_from(instant >> 7).unwrap_or(u32::MAX);
        let (days, units) = (units / 675, units % 675);
        // 1970-01-01 was a Thursday.
        let day_of_week = u64::from((days + 4) % 7);
        let seconds = u64::from(units) << 7 | instant & 127;
        Self {
            day_of_week,
            seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Comparison, Version};
    use alloc::vec;

    #[test]
    fn every_event_round_trips() {
        let events = vec![
            WaitEvent::Authorization(-3),
            WaitEvent::Power(1),
            WaitEvent::Network(2),
            WaitEvent::OtherDeviceVersion {
                device: b"pump".into(),
                versions: vec![VersionMatch {
                    comparison: Comparison::GreaterEqual,
                    version: Version(vec![1, 2]),
                }],
            },
            WaitEvent::Time(1 << 33),
            WaitEvent::TimeOfDay(3600),
            WaitEvent::DayOfWeek(0),
            WaitEvent::TimeOfDayUtc(7200),
            WaitEvent::DayOfWeekUtc(6),
        ];
        let info = WaitInfo::new(events).unwrap();
        let bytes = info.encode();
        assert_eq!(WaitInfo::decode(&bytes, &Limits::default()), Ok(info));
    }

    #[test]
    fn no_event_and_a_repeated_one_are_refused() {
        assert!(WaitInfo::decode(&[0xa0], &Limits::default()).is_err());
        assert!(WaitInfo::new(vec![]).is_none());
        assert!(WaitInfo::new(vec![WaitEvent::Time(1), WaitEvent::Time(2)]).is_none());
        assert!(WaitInfo::decode(&[0xa1, 0x00, 0x00], &Limits::default()).is_err());
    }

    #[test]
    fn an_event_that_is_no_number_is_refused_and_a_large_one_is_kept() {
        let named = [0xa1, 0x61, b'x', 0x00];
        assert!(WaitInfo::decode(&named, &Limits::default()).is_err());
        // {2^32: 0}
        let large = [0xa1, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 0x00];
        let info = WaitInfo::decode(&large, &Limits::default()).unwrap();
        assert_eq!(info.encode(), large);
    }

    // req: SUIT-UPD-021, SUIT-UPD-022
    #[test]
    fn local_times_follow_the_zone() {
        // 2026-03-29 is the Sunday on which Central Europe skips 02:00 to 03:00.
        let before_gap = 1_774_745_999; // 00:59:59 UTC, 01:59:59 local, one hour ahead
        let after_gap = before_gap + 1; // 01:00:00 UTC, 03:00:00 local, two hours ahead
        let skipped = WaitEvent::TimeOfDay(2 * 3600 + 1800);
        assert_eq!(skipped.has_come(before_gap, Some(3600)), Some(false));
        assert_eq!(skipped.has_come(after_gap, Some(7200)), Some(true));
        // 2026-10-25, when 02:30 occurs twice: the first time is enough.
        let first = 1_792_888_200; // 00:30:00 UTC, 02:30:00 local, two hours ahead
        assert_eq!(skipped.has_come(first - 1, Some(7200)), Some(false));
        assert_eq!(skipped.has_come(first, Some(7200)), Some(true));
        assert_eq!(
            WaitEvent::DayOfWeek(0).has_come(first, Some(7200)),
            Some(true)
        );
        assert_eq!(WaitEvent::DayOfWeekUtc(0).has_come(first, None), Some(true));
        // Without a zone, local time is unsupported.
        assert_eq!(skipped.has_come(first, None), None);
        assert_eq!(WaitEvent::DayOfWeek(0).has_come(first, None), None);
        assert_eq!(WaitEvent::Power(1).has_come(first, None), None);
    }
}
