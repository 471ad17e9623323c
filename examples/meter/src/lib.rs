//! A Trusted Application that counts consumption, and tells billing providers signed readings.
//!
//! | Command | Input | Output | For whom |
//! |---|---|---|---|
//! | [`COUNT`] | consumption since the last call in watt hours, 4 bytes, big-endian | the total, 8 bytes | the sensor's driver |
//! | [`TOTAL`] | | the total in watt hours, 8 bytes, big-endian | everybody |
//! | [`READING`] | a nonce of the caller's, 8 to 64 bytes | a `COSE_Sign1` of a [`Reading`] | everybody |
//! | [`PUBLIC_KEY`] | | the key that verifies readings, an encoded `COSE_Key` | everybody |
//!
//! The driver of the sensor is an Untrusted Application. Its user's number is the Personalization Data `sensor-user`, 4
//! bytes, big-endian. Nobody else counts, least of all a Trusted Application of another provider, which reaches the meter as
//! the service `power/meter`.

#![cfg_attr(not(test), no_std)]

use minicbor::{Decode, Encode};
use tamarack_ta::{
    ResultCode, TrustedApplication, Vec, cose,
    keys::{SignatureAlgorithm, SigningKey},
    objects, personalization,
    session::{self, Client},
    time,
};

/// Counts.
pub const COUNT: u32 = 1;
/// Tells the total.
pub const TOTAL: u32 = 2;
/// Tells a signed reading.
pub const READING: u32 = 3;
/// Tells the key that verifies readings.
pub const PUBLIC_KEY: u32 = 4;

/// What the meter says, as an array.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reading {
    /// Watt hours since the meter was made.
    #[n(0)]
    pub total: u64,
    /// Seconds since 1970.
    #[n(1)]
    pub time: u64,
    /// What the caller sent, so that the reading can't be an older one.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub nonce: Vec<u8>,
}

/// The Trusted Application.
#[derive(Debug)]
pub struct Meter {
    key: SigningKey,
}

impl Meter {
    fn count(&mut self, consumption: u32) -> Result<u64, ResultCode> {
        if session::client()? != sensor()? {
            return Err(ResultCode::ACCESS_DENIED);
        }
        let total = total()?.checked_add(consumption.into());
        let total = total.ok_or(ResultCode::OVERFLOW)?;
        objects::write("total", &total.to_be_bytes())?;
        Ok(total)
    }

    fn total(&mut self) -> Result<u64, ResultCode> {
        total()
    }

    fn reading(&mut self, nonce: &[u8]) -> Result<Vec<u8>, ResultCode> {
        if !(8..=64).contains(&nonce.len()) {
            return Err(ResultCode::BAD_PARAMETERS);
        }
        let reading = Reading {
            total: total()?,
            time: time::now(),
            nonce: nonce.into(),
        };
        let payload = minicbor::to_vec(reading).map_err(|_| ResultCode::GENERIC)?;
        cose::sign1(&self.key, &payload)
    }

    fn public_key(&mut self) -> Result<Vec<u8>, ResultCode> {
        self.key.public_key()
    }
}

/// Who may count. Without Personalization Data nobody may.
fn sensor() -> Result<Client, ResultCode> {
    match personalization::read("sensor-user") {
        Ok(user) => {
            let user = user.try_into().map_err(|_| ResultCode::BAD_FORMAT)?;
            Ok(Client::User(u32::from_be_bytes(user)))
        }
        Err(ResultCode::ITEM_NOT_FOUND) => Err(ResultCode::ACCESS_DENIED),
        Err(other) => Err(other),
    }
}

fn total() -> Result<u64, ResultCode> {
    match objects::read("total") {
        Ok(bytes) => {
            let bytes = bytes.try_into().map_err(|_| ResultCode::CORRUPT_OBJECT)?;
            Ok(u64::from_be_bytes(bytes))
        }
        Err(ResultCode::ITEM_NOT_FOUND) => Ok(0),
        Err(other) => Err(other),
    }
}

impl TrustedApplication for Meter {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self {
            key: SigningKey::open_or_generate("readings", SignatureAlgorithm::Ed25519)?,
        })
    }

    tamarack_ta::commands! {
        COUNT => count(consumption),
        TOTAL => total(),
        READING => reading(nonce),
        PUBLIC_KEY => public_key(),
    }
}

tamarack_ta::export!(Meter);

#[cfg(test)]
mod tests {
    use tamarack_ta::testing::{self, Session};

    use super::*;

    const SENSOR: u32 = 104;

    fn open(client: Client) -> Session<Meter> {
        testing::set_client(client);
        Session::open(b"").unwrap()
    }

    #[test]
    fn the_sensor_counts_and_nobody_else() {
        let mut session = open(Client::User(SENSOR));
        assert_eq!(
            session.call::<u64>(COUNT, 5u32),
            Err(ResultCode::ACCESS_DENIED),
            "not before it is known who may"
        );
        testing::personalize("sensor-user", &SENSOR.to_be_bytes());
        assert_eq!(session.call::<u64>(COUNT, 5u32), Ok(5));
        assert_eq!(session.call::<u64>(COUNT, 7u32), Ok(12));
        let application = Client::Application {
            domain: "power".into(),
            component: "power/other".into(),
        };
        for client in [Client::Unknown, Client::User(SENSOR + 1), application] {
            let mut session = open(client);
            assert_eq!(
                session.call::<u64>(COUNT, 1u32),
                Err(ResultCode::ACCESS_DENIED)
            );
            assert_eq!(session.call::<u64>(TOTAL, ()), Ok(12));
        }
    }

    #[test]
    fn a_reading_is_signed_and_fresh() {
        testing::set_time(1_800_000_000);
        let mut session = open(Client::Unknown);
        let key = session.invoke(PUBLIC_KEY, b"").unwrap();
        let signed = session.invoke(READING, b"12345678").unwrap();
        let payload = cose::verify1(&key, &signed).unwrap();
        let reading: Reading = minicbor::decode(payload).unwrap();
        let expected = Reading {
            total: 0,
            time: 1_800_000_000,
            nonce: b"12345678".into(),
        };
        assert_eq!(reading, expected);
        for nonce in [&[0; 7][..], &[0; 65]] {
            assert_eq!(
                session.invoke(READING, nonce),
                Err(ResultCode::BAD_PARAMETERS)
            );
        }
    }

    #[test]
    fn the_count_does_not_run_over() {
        testing::personalize("sensor-user", &SENSOR.to_be_bytes());
        objects::write("total", &(u64::MAX - 1).to_be_bytes()).unwrap();
        let mut session = open(Client::User(SENSOR));
        assert_eq!(session.call::<u64>(COUNT, 2u32), Err(ResultCode::OVERFLOW));
        assert_eq!(session.call::<u64>(COUNT, 1u32), Ok(u64::MAX));
    }
}
