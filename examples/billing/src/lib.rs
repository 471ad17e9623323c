//! A Trusted Application that bills what the meter of another security domain counts.
//!
//! | Command | Input | Output |
//! |---|---|---|
//! | [`BILL`] | | a [`Bill`] for what was consumed since the last one |
//! | [`LAST`] | | the last [`Bill`], or [`ITEM_NOT_FOUND`](ResultCode::ITEM_NOT_FOUND) |
//!
//! It calls the service [`METER`], and believes no reading that is not signed with the meter's key, which came as the
//! Personalization Data `meter-key` (an encoded `COSE_Key`), and fresh. The price of a kilowatt hour is the Personalization
//! Data `price`, in hundredths of a cent, 4 bytes, big-endian. Meter and billing provider trust each other with nothing else.

#![cfg_attr(not(test), no_std)]

use minicbor::{Decode, Encode};
use tamarack_ta::{
    ResultCode, TrustedApplication, Vec, cose, objects, personalization, random, services,
    wire::Cbor,
};

/// Makes a bill.
pub const BILL: u32 = 1;
/// Tells the last bill again.
pub const LAST: u32 = 2;

/// The service that is called, and its command for a signed reading.
pub const METER: &str = "power/meter";
const READING: u32 = 3;

/// A bill, as an array.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Bill {
    /// Watt hours on the meter at the end of the last bill.
    #[n(0)]
    pub from: u64,
    /// Watt hours on the meter now.
    #[n(1)]
    pub to: u64,
    /// Seconds since 1970, by the meter.
    #[n(2)]
    pub time: u64,
    /// Hundredths of a cent, rounded down.
    #[n(3)]
    pub amount: u64,
}

/// What the meter says; see its documentation.
#[derive(Decode)]
#[cbor(array)]
struct Reading<'a> {
    #[n(0)]
    total: u64,
    #[n(1)]
    time: u64,
    #[b(2)]
    #[cbor(with = "minicbor::bytes")]
    nonce: &'a [u8],
}

/// The Trusted Application.
#[derive(Debug)]
pub struct Billing;

impl Billing {
    fn bill(&mut self) -> Result<Cbor<Bill>, ResultCode> {
        let from = match last() {
            Ok(bill) => bill.to,
            Err(ResultCode::ITEM_NOT_FOUND) => 0,
            Err(other) => return Err(other),
        };
        let nonce = random::array::<16>();
        let signed = services::call(METER, READING, &nonce)?;
        let key = personalization::read("meter-key")?;
        let payload = cose::verify1(&key, &signed)?;
        let reading: Reading<'_> = minicbor::decode(payload).map_err(|_| ResultCode::BAD_FORMAT)?;
        if reading.nonce != nonce {
            return Err(ResultCode::SECURITY);
        }
        // A meter that counts backwards is none.
        let consumed = reading
            .total
            .checked_sub(from)
            .ok_or(ResultCode::SECURITY)?;
        let bill = Bill {
            from,
            to: reading.total,
            time: reading.time,
            amount: amount(consumed)?,
        };
        let bytes = minicbor::to_vec(&bill).map_err(|_| ResultCode::GENERIC)?;
        objects::write("bill", &bytes)?;
        Ok(Cbor(bill))
    }

    fn last(&mut self) -> Result<Cbor<Bill>, ResultCode> {
        last().map(Cbor)
    }
}

fn last() -> Result<Bill, ResultCode> {
    minicbor::decode(&objects::read("bill")?).map_err(|_| ResultCode::CORRUPT_OBJECT)
}

fn amount(watt_hours: u64) -> Result<u64, ResultCode> {
    let price: Vec<u8> = personalization::read("price")?;
    let price = price.try_into().map_err(|_| ResultCode::BAD_FORMAT)?;
    let price = u64::from(u32::from_be_bytes(price));
    let amount = watt_hours.checked_mul(price).ok_or(ResultCode::OVERFLOW)?;
    Ok(amount / 1000)
}

impl TrustedApplication for Billing {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self)
    }

    tamarack_ta::commands! {
        BILL => bill(),
        LAST => last(),
    }
}

tamarack_ta::export!(Billing);

#[cfg(test)]
mod tests {
    use meter::Meter;
    use tamarack_ta::{
        interface::Client,
        keys::{SignatureAlgorithm, SigningKey},
        testing::{self, Session},
        wire::Output as _,
    };

    use super::*;

    const SENSOR: Client = Client::User(104);

    fn count(watt_hours: u32) {
        testing::within(METER, || {
            testing::set_client(SENSOR);
            let mut meter = Session::<Meter>::open(b"").unwrap();
            meter.call::<u64>(meter::COUNT, watt_hours).unwrap();
        });
    }

    /// A meter that exposes its service to this domain, and billing data for it.
    fn prepare() -> Session<Billing> {
        testing::expose::<Meter>(METER, &["test"]);
        let key = testing::within(METER, || {
            testing::personalize("sensor-user", &104u32.to_be_bytes());
            let mut meter = Session::<Meter>::open(b"").unwrap();
            meter.invoke(meter::PUBLIC_KEY, b"").unwrap()
        });
        testing::personalize("meter-key", &key);
        testing::personalize("price", &3000u32.to_be_bytes());
        Session::open(b"").unwrap()
    }

    fn bill(session: &mut Session<Billing>) -> Result<(u64, u64, u64), ResultCode> {
        let Cbor(bill) = session.call::<Cbor<Bill>>(BILL, ())?;
        Ok((bill.from, bill.to, bill.amount))
    }

    #[test]
    fn it_bills_what_was_consumed() {
        let mut session = prepare();
        count(1_500);
        assert_eq!(bill(&mut session), Ok((0, 1_500, 4_500)));
        assert_eq!(bill(&mut session), Ok((1_500, 1_500, 0)));
        count(250);
        assert_eq!(bill(&mut session), Ok((1_500, 1_750, 750)));
        let Cbor(last) = session.call::<Cbor<Bill>>(LAST, ()).unwrap();
        assert_eq!(last.to, 1_750);
    }

    #[test]
    fn the_meter_is_not_written_from_here() {
        struct Greedy;
        impl TrustedApplication for Greedy {
            fn create() -> Result<Self, ResultCode> {
                Ok(Self)
            }
            fn invoke_command(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, ResultCode> {
                services::call(METER, meter::COUNT, &9u32.to_be_bytes())
            }
        }
        let _ = prepare();
        // Whoever opened the session of the caller: the caller is the meter's client.
        testing::set_client(SENSOR);
        let mut session = Session::<Greedy>::open(b"").unwrap();
        assert_eq!(session.invoke(1, b""), Err(ResultCode::ACCESS_DENIED));
    }

    #[test]
    fn nothing_is_billed_without_the_meter() {
        let mut session = prepare();
        testing::expose::<Meter>(METER, &["elsewhere"]);
        assert_eq!(bill(&mut session), Err(ResultCode::ITEM_NOT_FOUND));
        assert_eq!(
            session.call::<Cbor<Bill>>(LAST, ()),
            Err(ResultCode::ITEM_NOT_FOUND)
        );
    }

    /// A meter of somebody else: it says what it likes, and signs with a key of its own or answers an old reading.
    struct Impostor;

    impl TrustedApplication for Impostor {
        fn create() -> Result<Self, ResultCode> {
            Ok(Self)
        }
        fn invoke_command(&mut self, _: u32, nonce: &[u8]) -> Result<Vec<u8>, ResultCode> {
            if let Ok(old) = objects::read("old") {
                return Ok(old);
            }
            let key = SigningKey::open_or_generate("k", SignatureAlgorithm::Ed25519)?;
            cose::sign1(&key, &(1_000_000u64, 0u64, nonce).into_output()?)
        }
    }

    #[test]
    fn a_meter_that_lies_is_not_believed() {
        let mut session = prepare();
        testing::expose::<Impostor>(METER, &["test"]);
        assert_eq!(bill(&mut session), Err(ResultCode::SIGNATURE_INVALID));
        testing::within(METER, || {
            let mut meter = Session::<Meter>::open(b"").unwrap();
            let old = meter.invoke(meter::READING, b"another nonce").unwrap();
            objects::write("old", &old).unwrap();
        });
        assert_eq!(bill(&mut session), Err(ResultCode::SECURITY));
    }
}
