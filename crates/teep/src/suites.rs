use alloc::{vec, vec::Vec};

use tamarack_cose::{
    SignatureAlgorithm,
    cbor::{DecodeError, Problem, Reader, Writer},
};

/// One operation of a [`CipherSuite`]: a COSE structure and an algorithm for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The CBOR tag of the COSE structure; 18 is COSE_Sign1.
    pub cose_type: u64,
    /// The COSE algorithm identifier.
    pub algorithm: i64,
}

/// A TEEP cipher suite: operations applied in order (section 8.1). Unknown ones survive decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CipherSuite(pub Vec<Operation>);

impl CipherSuite {
    /// The signature algorithms of TEEP's suites, in order of preference.
    pub const ALGORITHMS: [SignatureAlgorithm; 2] =
        [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519];

    /// The suite that signs with COSE_Sign1 and `algorithm`.
    #[must_use]
    pub fn sign1(algorithm: SignatureAlgorithm) -> Self {
        Self(vec![Operation {
            cose_type: tamarack_cose::tag::SIGN1,
            algorithm: algorithm.cose_id(),
        }])
    }

    /// The algorithm, if this is one of the two suites that sign with COSE_Sign1.
    #[must_use]
    pub fn as_sign1(&self) -> Option<SignatureAlgorithm> {
        match self.0.as_slice() {
            [
                Operation {
                    cose_type: tamarack_cose::tag::SIGN1,
                    algorithm,
                },
            ] => SignatureAlgorithm::from_cose_id(*algorithm)
                .filter(|algorithm| Self::ALGORITHMS.contains(algorithm)),
            _ => None,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "teep-cipher-suite";
        let count = reader.array(rule)?;
        let mut operations = Vec::new();
        for _ in 0..count {
            reader.array_of(2, "[COSE type, COSE algorithm]", rule)?;
            let cose_type = reader.uint(rule)?;
            operations.push(Operation {
                cose_type,
                algorithm: reader.int(rule)?,
            });
        }
        Ok(Self(operations))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.array(self.0.len());
        for operation in &self.0 {
            writer
                .array(2)
                .uint(operation.cose_type)
                .int(operation.algorithm);
        }
    }
}

/// A SUIT COSE profile: digest, authentication, key exchange, encryption, as COSE algorithm
/// identifiers (draft-ietf-suit-mti). Unknown ones survive decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuitCoseProfile(pub [i64; 4]);

impl SuitCoseProfile {
    /// `suit-sha256-esp256-ecdh-a128ctr`.
    pub const ESP256_A128CTR: Self = Self([-16, -9, -29, -65534]);
    /// `suit-sha256-ed25519-ecdh-a128ctr`.
    pub const ED25519_A128CTR: Self = Self([-16, -19, -29, -65534]);
    /// `suit-sha256-esp256-ecdh-a128gcm`.
    pub const ESP256_A128GCM: Self = Self([-16, -9, -29, 1]);
    /// `suit-sha256-ed25519-ecdh-chacha-poly`.
    pub const ED25519_CHACHA_POLY: Self = Self([-16, -19, -29, 24]);

    /// The four that a TAM has to support (section 8.2).
    pub const ALL: [Self; 4] = [
        Self::ESP256_A128CTR,
        Self::ED25519_A128CTR,
        Self::ESP256_A128GCM,
        Self::ED25519_CHACHA_POLY,
    ];

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "suit-cose-profile";
        reader.array_of(4, "an array of 4 algorithms", rule)?;
        let mut profile = [0; 4];
        for algorithm in &mut profile {
            *algorithm = reader.int(rule)?;
        }
        Ok(Self(profile))
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.array(4);
        for algorithm in self.0 {
            writer.int(algorithm);
        }
    }
}

/// Reads `[ + item ]`.
pub(crate) fn read_list<'a>(
    reader: &mut Reader<'a>,
    rule: &'static str,
    read: &mut dyn FnMut(&mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let start = reader.clone();
    match read_list_or_none(reader, rule, read)? {
        0 => Err(start.error(rule, Problem::OutOfBounds("1 entry or more"))),
        _ => Ok(()),
    }
}

/// Reads `[ * item ]` and returns how many there were.
///
/// The items go where `read` puts them, so that one function serves lists of every type.
pub(crate) fn read_list_or_none<'a>(
    reader: &mut Reader<'a>,
    rule: &'static str,
    read: &mut dyn FnMut(&mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<usize, DecodeError> {
    let count = reader.array(rule)?;
    for _ in 0..count {
        read(reader)?;
    }
    Ok(count)
}
