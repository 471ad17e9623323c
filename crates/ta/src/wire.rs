//! Which bytes the typed parameters and results of [`commands!`](crate::commands) are.
//!
//! Applications outside the TEE may be written in any language, so this is part of what a TA promises.
//!
//! | Type | Alone | Among several |
//! |---|---|---|
//! | `()` | no bytes | |
//! | `&[u8]`, `Vec<u8>` | the bytes | byte string |
//! | `&str`, `String` | the text, UTF-8 | text string |
//! | `[u8; N]`, `&[u8; N]` | exactly `N` bytes | byte string of `N` bytes |
//! | `u8`, `u16`, `u32`, `u64`, `i32`, `i64` | big-endian, as many bytes as the type has | integer |
//! | `bool` | one byte, 0 or 1 | `false` or `true` |
//! | `Option` of the above | | the item, or `null` |
//! | a tuple of two to six | array of the items | the same |
//! | [`Cbor`] of a type with `minicbor`'s traits | its item | the same |
//!
//! "Alone" is a command with one parameter, and a result. Several parameters are the items of one array, in their order.
//! Arrays, items and strings are those of CBOR (RFC 8949). Lengths are definite. What is too long, too short or of another
//! type is [`BAD_FORMAT`](ResultCode::BAD_FORMAT), as are bytes left over.
//!
//! A struct derives `minicbor`'s traits in a crate that depends on `minicbor` with its feature `derive`, in the version that
//! this crate [exports](crate::minicbor).
//!
//! ```
//! use tamarack_ta::{ResultCode, wire::{Input, Output}};
//!
//! assert_eq!(("door", 7u32).into_output()?, [0x82, 0x64, b'd', b'o', b'o', b'r', 7]);
//! assert_eq!(7u32.into_output()?, [0, 0, 0, 7]);
//! assert_eq!(<&str>::from_input(&[0xFF]), Err(ResultCode::BAD_FORMAT));
//! # Ok::<(), ResultCode>(())
//! ```

use alloc::{string::String, vec::Vec};

use minicbor::{Decode, Decoder, Encode, Encoder, data::Type};

use crate::ResultCode;

/// A type that a command takes as its only parameter.
pub trait Input<'a>: Sized {
    /// Reads it; all of the input is this.
    ///
    /// # Errors
    ///
    /// [`ResultCode::BAD_FORMAT`].
    fn from_input(input: &'a [u8]) -> Result<Self, ResultCode>;
}

/// A type that a command answers.
pub trait Output {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// The result code, if this is the `Err` of a `Result`.
    fn into_output(self) -> Result<Vec<u8>, ResultCode>;
}

/// A type that a command takes beside others, or that is part of a tuple.
pub trait Item<'a>: Sized {
    /// Reads the next item.
    ///
    /// # Errors
    ///
    /// If it is another type's.
    fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error>;
}

/// A type that can be part of a tuple that a command answers.
pub trait WriteItem {
    /// Writes the item.
    fn write(&self, items: &mut Encoder<Vec<u8>>);
}

/// All parameters of a command, as a tuple.
pub trait Parameters<'a>: Sized {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`ResultCode::BAD_FORMAT`].
    fn from_input(input: &'a [u8]) -> Result<Self, ResultCode>;
}

/// A parameter or result that is CBOR: any type with `minicbor`'s `Decode` or `Encode`, which it can derive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cbor<T>(pub T);

impl<'a, T: Decode<'a, ()>> Input<'a> for Cbor<T> {
    fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
        only(input)
    }
}

impl<'a, T: Decode<'a, ()>> Item<'a> for Cbor<T> {
    fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
        items.decode().map(Self)
    }
}

impl<T: Encode<()>> Output for Cbor<T> {
    fn into_output(self) -> Result<Vec<u8>, ResultCode> {
        Ok(written(&self))
    }
}

impl<T: Encode<()>> WriteItem for Cbor<T> {
    fn write(&self, items: &mut Encoder<Vec<u8>>) {
        // Into memory nothing fails but what a type's own `Encode` refuses: an incomplete item is no item to the reader.
        let _ = items.encode(&self.0);
    }
}

/// The one item that is all of `input`.
fn only<'a, T: Item<'a>>(input: &'a [u8]) -> Result<T, ResultCode> {
    let mut items = Decoder::new(input);
    let item = T::read(&mut items).map_err(|_| ResultCode::BAD_FORMAT)?;
    match items.position() == input.len() {
        true => Ok(item),
        false => Err(ResultCode::BAD_FORMAT),
    }
}

fn written(item: &impl WriteItem) -> Vec<u8> {
    let mut items = Encoder::new(Vec::new());
    item.write(&mut items);
    items.into_writer()
}

impl Parameters<'_> for () {
    fn from_input(input: &[u8]) -> Result<Self, ResultCode> {
        match input {
            [] => Ok(()),
            _ => Err(ResultCode::BAD_FORMAT),
        }
    }
}

impl<'a, T: Input<'a>> Parameters<'a> for (T,) {
    fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
        Ok((T::from_input(input)?,))
    }
}

impl Input<'_> for () {
    fn from_input(input: &[u8]) -> Result<Self, ResultCode> {
        Parameters::from_input(input)
    }
}

impl Output for () {
    fn into_output(self) -> Result<Vec<u8>, ResultCode> {
        Ok(Vec::new())
    }
}

impl<T: Output> Output for Result<T, ResultCode> {
    fn into_output(self) -> Result<Vec<u8>, ResultCode> {
        self?.into_output()
    }
}

impl<'a, T: Item<'a>> Item<'a> for Option<T> {
    fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
        match items.datatype()? {
            Type::Null => items.null().map(|()| None),
            _ => T::read(items).map(Some),
        }
    }
}

impl<T: WriteItem> WriteItem for Option<T> {
    fn write(&self, items: &mut Encoder<Vec<u8>>) {
        match self {
            Some(item) => item.write(items),
            None => drop(items.null()),
        }
    }
}

/// Types that are bytes: what they are alone, and how they are read and written as an item.
macro_rules! bytes {
    ($($ty:ty: $alone:expr, $read:expr, $bytes:expr, $write:ident;)*) => {$(
        impl<'a> Input<'a> for $ty {
            fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
                let alone: fn(&'a [u8]) -> Option<Self> = $alone;
                alone(input).ok_or(ResultCode::BAD_FORMAT)
            }
        }

        impl<'a> Item<'a> for $ty {
            fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
                let read: fn(&mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> = $read;
                read(items)
            }
        }

        impl<'a> Output for $ty {
            fn into_output(self) -> Result<Vec<u8>, ResultCode> {
                let bytes: fn(Self) -> Vec<u8> = $bytes;
                Ok(bytes(self))
            }
        }

        impl<'a> WriteItem for $ty {
            fn write(&self, items: &mut Encoder<Vec<u8>>) {
                let _ = items.$write(self);
            }
        }
    )*};
}

bytes! {
    &'a [u8]: Some, |items| items.bytes(), <[u8]>::to_vec, bytes;
    Vec<u8>: |input| Some(input.to_vec()), |items| Ok(items.bytes()?.to_vec()), |bytes| bytes, bytes;
    &'a str: |input| core::str::from_utf8(input).ok(), |items| items.str(), |text| text.as_bytes().to_vec(), str;
    String: |input| String::from_utf8(input.to_vec()).ok(), |items| Ok(items.str()?.into()), String::into_bytes, str;
    bool: |input| match input { [0] => Some(false), [1] => Some(true), _ => None }, |items| items.bool(),
        |value| [u8::from(value)].to_vec(), bool_value;
}

/// So that all writers take a reference.
trait WriteBool {
    fn bool_value(&mut self, value: &bool) -> Result<(), core::convert::Infallible>;
}

impl WriteBool for Encoder<Vec<u8>> {
    fn bool_value(&mut self, value: &bool) -> Result<(), core::convert::Infallible> {
        let _ = self.bool(*value);
        Ok(())
    }
}

macro_rules! integers {
    ($($ty:ident),*) => {$(
        impl<'a> Input<'a> for $ty {
            fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
                let bytes = input.try_into().map_err(|_| ResultCode::BAD_FORMAT)?;
                Ok(Self::from_be_bytes(bytes))
            }
        }

        impl<'a> Item<'a> for $ty {
            fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
                items.$ty()
            }
        }

        impl Output for $ty {
            fn into_output(self) -> Result<Vec<u8>, ResultCode> {
                Ok(self.to_be_bytes().to_vec())
            }
        }

        impl WriteItem for $ty {
            fn write(&self, items: &mut Encoder<Vec<u8>>) {
                let _ = items.$ty(*self);
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i32, i64);

impl<'a, const N: usize> Input<'a> for &'a [u8; N] {
    fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
        input.try_into().map_err(|_| ResultCode::BAD_FORMAT)
    }
}

impl<'a, const N: usize> Item<'a> for &'a [u8; N] {
    fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("a byte string of another length");
        items.bytes()?.try_into().map_err(|_| wrong())
    }
}

impl<'a, const N: usize> Input<'a> for [u8; N] {
    fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
        <&[u8; N]>::from_input(input).copied()
    }
}

impl<'a, const N: usize> Item<'a> for [u8; N] {
    fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
        <&[u8; N]>::read(items).copied()
    }
}

impl<const N: usize> Output for [u8; N] {
    fn into_output(self) -> Result<Vec<u8>, ResultCode> {
        Ok(self.to_vec())
    }
}

impl<const N: usize> WriteItem for [u8; N] {
    fn write(&self, items: &mut Encoder<Vec<u8>>) {
        let _ = items.bytes(self);
    }
}

impl<const N: usize> Output for &[u8; N] {
    fn into_output(self) -> Result<Vec<u8>, ResultCode> {
        Ok(self.to_vec())
    }
}

impl<const N: usize> WriteItem for &[u8; N] {
    fn write(&self, items: &mut Encoder<Vec<u8>>) {
        (*self).write(items);
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident $ty:ident),*;)*) => {$(
        impl<'a, $($ty: Item<'a>),*> Item<'a> for ($($ty),*) {
            fn read(items: &mut Decoder<'a>) -> Result<Self, minicbor::decode::Error> {
                if items.array()? != Some($count) {
                    return Err(minicbor::decode::Error::message("an array of another length"));
                }
                Ok(($($ty::read(items)?),*))
            }
        }

        impl<'a, $($ty: Item<'a>),*> Input<'a> for ($($ty),*) {
            fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
                only(input)
            }
        }

        impl<'a, $($ty: Item<'a>),*> Parameters<'a> for ($($ty),*) {
            fn from_input(input: &'a [u8]) -> Result<Self, ResultCode> {
                only(input)
            }
        }

        impl<$($ty: WriteItem),*> WriteItem for ($($ty),*) {
            fn write(&self, items: &mut Encoder<Vec<u8>>) {
                let _ = items.array($count);
                let ($($name),*) = self;
                $($name.write(items);)*
            }
        }

        impl<$($ty: WriteItem),*> Output for ($($ty),*) {
            fn into_output(self) -> Result<Vec<u8>, ResultCode> {
                Ok(written(&self))
            }
        }
    )*};
}

tuples! {
    2: a A, b B;
    3: a A, b B, c C;
    4: a A, b B, c C, d D;
    5: a A, b B, c C, d D, e E;
    6: a A, b B, c C, d D, e E, f F;
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::fmt::Debug;

    use super::*;

    fn alone<'a, T: Input<'a> + Output + PartialEq + Debug + Clone>(value: &T, bytes: &'a [u8]) {
        assert_eq!(value.clone().into_output().unwrap(), bytes);
        assert_eq!(T::from_input(bytes).as_ref(), Ok(value));
        let shorter = T::from_input(bytes.get(1..).unwrap_or(&[0, 1]));
        assert_ne!(shorter.as_ref(), Ok(value));
    }

    #[test]
    fn each_type_alone() {
        alone(&(), &[]);
        alone(&b"ab".as_slice(), b"ab");
        alone(&vec![1u8, 2], &[1, 2]);
        alone(&"ü", &[0xC3, 0xBC]);
        alone(&String::from("ab"), b"ab");
        alone(&[7u8, 8], &[7, 8]);
        alone(&7u8, &[7]);
        alone(&0x0102u16, &[1, 2]);
        alone(&0x0102_0304u32, &[1, 2, 3, 4]);
        alone(&1u64, &[0, 0, 0, 0, 0, 0, 0, 1]);
        alone(&-2i32, &[255, 255, 255, 254]);
        alone(&i64::MIN, &[128, 0, 0, 0, 0, 0, 0, 0]);
        alone(&true, &[1]);
        alone(&Cbor(vec![1u32, 2]), &[0x82, 1, 2]);
        alone(&("a", 300u32), &[0x82, 0x61, b'a', 0x19, 1, 44]);
    }

    #[test]
    fn each_type_among_several() {
        let value = (
            b"x".as_slice(),
            "y",
            [1u8, 2],
            -1i32,
            Some(true),
            None::<u32>,
        );
        let bytes = [0x86, 0x41, b'x', 0x61, b'y', 0x42, 1, 2, 0x20, 0xF5, 0xF6];
        assert_eq!(value.into_output().unwrap(), bytes);
        assert_eq!(Parameters::from_input(&bytes), Ok(value));
        let nested = ((vec![1u8], String::from("a")), Cbor(9u8));
        let bytes = [0x82, 0x82, 0x41, 1, 0x61, b'a', 9];
        assert_eq!(nested.clone().into_output().unwrap(), bytes);
        assert_eq!(Input::from_input(&bytes), Ok(nested));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bad = Err(ResultCode::BAD_FORMAT);
        assert_eq!(<() as Input<'_>>::from_input(&[0]), bad);
        assert_eq!(
            <bool as Input<'_>>::from_input(&[2]),
            Err(ResultCode::BAD_FORMAT)
        );
        type Pair<'a> = (&'a str, u8);
        for bytes in [
            &[][..],
            &[0x82, 0x61, b'a'],
            &[0x82, 0x61, b'a', 1, 1],
            &[0x81, 0x61, b'a'],
            &[0x83, 0x61, b'a', 1, 1],
            &[0x82, 0x41, b'a', 1],
            &[0x82, 0x61, 0xFF, 1],
            &[0x82, 0x61, b'a', 0x19, 1, 0],
            &[0x82, 0x61, b'a', 0x20],
            &[0x9F, 0x61, b'a', 1, 0xFF],
            &[0x82, 0x7B, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            let read: Result<Pair<'_>, _> = Parameters::from_input(bytes);
            assert_eq!(read, Err(ResultCode::BAD_FORMAT), "{bytes:?}");
        }
    }
}
