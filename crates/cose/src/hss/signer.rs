//! Signing in software (RFC 8554 sections 4.5, 5.3.2 and 6.2, appendix A).

use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;
use std::sync::Mutex;

use zeroize::Zeroizing;

use super::{
    HssHash, HssPublicKey,
    key::{Node, TreeKey, node},
    ots::{Hasher, ONE_TIME_KEY},
    parameters::{Lms, Ots},
};
use crate::{
    CryptoProvider, Error, KeyError, PublicKey, Signer,
    cbor::{self, Limits, Reader, Writer},
};

/// The numbers of signatures that a key has made, which must never be given out twice.
///
/// ```
/// use std::{fs, io::Write, path::PathBuf};
/// use tamarack_cose::{Error, hss::HssState};
///
/// /// The next number, in a file that one process at a time has open.
/// struct NumberFile(PathBuf);
///
/// impl HssState for NumberFile {
///     fn claim(&mut self) -> Result<u64, Error> {
///         let failed = |_| Error::Crypto("the state of the key can't be kept");
///         let text = fs::read_to_string(&self.0).map_err(failed)?;
///         let number: u64 = text.trim().parse().map_err(|_| Error::Crypto("no number"))?;
///         // The new number is on the disk before this returns.
///         let new = self.0.with_extension("new");
///         let mut file = fs::File::create(&new).map_err(failed)?;
///         write!(file, "{}", number + 1).map_err(failed)?;
///         file.sync_all().map_err(failed)?;
///         fs::rename(&new, &self.0).map_err(failed)?;
///         let folder = self.0.parent().ok_or(Error::Crypto("no folder"))?;
///         fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
///         Ok(number)
///     }
/// }
/// # let folder = std::env::temp_dir().join(format!("hss-state-{}", std::process::id()));
/// # fs::create_dir_all(&folder).unwrap();
/// # fs::write(folder.join("number"), "7").unwrap();
/// # let mut state = NumberFile(folder.join("number"));
/// # assert_eq!((state.claim(), state.claim()), (Ok(7), Ok(8)));
/// # fs::remove_dir_all(&folder).unwrap();
/// ```
pub trait HssState: Send {
    /// A number, 0 first and then each the next, that was never given out before for the same key, and never
    /// will be again: what makes sure of that is durable when this returns, also if power fails.
    ///
    /// A number may be lost. One that is given out twice gives the private key away.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if that can't be made sure of now. There is no signature then.
    fn claim(&mut self) -> Result<u64, Error>;
}

/// The trees of one level of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HssLevel {
    /// The hash.
    pub hash: HssHash,
    /// The height: 5, 10, 15 or 20. A tree is made whole in memory: 64 MiB and some minutes at height 20.
    pub height: u8,
    /// The bits of a digit: 1, 2, 4 or 8. More make signatures shorter and slower.
    pub width: u8,
}

impl HssLevel {
    /// Height 25 would take 2 GiB.
    const MAX_HEIGHT: u8 = 20;

    fn parameters(self) -> Result<(Lms, Ots), KeyError> {
        let lms = Lms::new(self.hash, self.height).filter(|_| self.height <= Self::MAX_HEIGHT);
        match (lms, Ots::new(self.hash, self.width)) {
            (Some(lms), Some(ots)) => Ok((lms, ots)),
            _ => Err(KeyError::Unsupported(
                "a tree whose height is not 5, 10, 15 or 20, or width not 1, 2, 4 or 8".into(),
            )),
        }
    }
}

/// A private key, without its state. Zeroed when dropped, and without its secret in `Debug`.
#[derive(Clone)]
pub struct HssSecretKey {
    levels: Vec<(Lms, Ots)>,
    id: [u8; 16],
    seed: Zeroizing<[u8; 32]>,
}

impl HssSecretKey {
    const RULE: &'static str = "HSS secret key";

    /// A fresh key with these levels, the top one first: 1 to 8, and 2 to the power of 60 signatures at most.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsupported`] if there are no such trees, [`Error::Crypto`] if the source of randomness
    /// fails.
    pub fn generate(crypto: &CryptoProvider, levels: &[HssLevel]) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        crypto.random.fill(&mut *seed)?;
        Ok(Self::new(levels, crypto.random_array()?, seed)?)
    }

    fn new(levels: &[HssLevel], id: [u8; 16], seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let height: u32 = levels.iter().map(|level| u32::from(level.height)).sum();
        if !(1..=usize::from(HssPublicKey::MAX_LEVELS)).contains(&levels.len()) || height > 60 {
            let problem = "other than 1 to 8 levels, or heights of more than 60 in all";
            return Err(KeyError::Unsupported(problem.into()));
        }
        let levels = levels
            .iter()
            .map(|level| level.parameters())
            .collect::<Result<_, _>>()?;
        Ok(Self { levels, id, seed })
    }

    /// How many signatures the key can make.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        1 << self.bits_below(0)
    }

    /// The heights of the levels from `level` on.
    fn bits_below(&self, level: usize) -> u32 {
        let heights = self.levels.iter().skip(level);
        heights.map(|(lms, _)| u32::from(lms.height())).sum()
    }

    /// Decodes what [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    ///
    /// If the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        const RULE: &str = HssSecretKey::RULE;
        let limits = Limits {
            bytes: 256,
            depth: 4,
        };
        cbor::check(bytes, &limits)?;
        let mut reader = Reader::new(bytes);
        reader.array_of(3, "an array of 3", RULE)?;
        let mut levels = Vec::new();
        for _ in 0..reader.array(RULE)? {
            reader.array_of(2, "an array of 2", RULE)?;
            let number = |number: u64| u32::try_from(number).map_err(|_| KeyError::Invalid);
            let lms = Lms::from_number(number(reader.uint(RULE)?)?).ok_or(KeyError::Invalid)?;
            let ots = Ots::from_number(number(reader.uint(RULE)?)?).ok_or(KeyError::Invalid)?;
            if lms.hash() != ots.hash() {
                return Err(KeyError::Invalid);
            }
            levels.push(HssLevel {
                hash: lms.hash(),
                height: lms.height(),
                width: ots.width(),
            });
        }
        let id = reader.bytes(RULE)?.try_into();
        let seed: Result<[u8; 32], _> = reader.bytes(RULE)?.try_into();
        match (id, seed) {
            (Ok(id), Ok(seed)) => Self::new(&levels, id, Zeroizing::new(seed)),
            _ => Err(KeyError::Invalid),
        }
    }

    /// Encodes the key, in a form of this crate: there is no standard one.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::build(|w| {
            w.array(3).array(self.levels.len());
            for (lms, ots) in &self.levels {
                w.array(2);
                w.uint(lms.number().into()).uint(ots.number().into());
            }
            w.bytes(&self.id).bytes(&*self.seed);
        }))
    }
}

impl fmt::Debug for HssSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HssSecretKey({} levels)", self.levels.len())
    }
}

/// Signs with an HSS/LMS key in memory and a state elsewhere.
///
/// ```
/// use tamarack_cose::{
///     Error, Signer, Sign1, hss::{HssHash, HssLevel, HssSecretKey, HssSigner, HssState}, rustcrypto,
///     sign1,
/// };
///
/// /// For an example only: a number that is lost when the program ends.
/// struct Forgetful(u64);
///
/// impl HssState for Forgetful {
///     fn claim(&mut self) -> Result<u64, Error> {
///         self.0 += 1;
///         Ok(self.0 - 1)
///     }
/// }
///
/// let crypto = rustcrypto::provider();
/// let level = HssLevel { hash: HssHash::Sha256, height: 5, width: 4 };
/// let key = HssSecretKey::generate(&crypto, &[level])?;
/// assert_eq!(key.capacity(), 32);
/// let signer = HssSigner::new(&crypto, key, Box::new(Forgetful(0)))?;
/// let message = sign1(&signer, b"install the door lock", None)?;
/// let payload = Sign1::decode(&message)?.verify(&crypto, signer.public_key(), None)?;
/// assert_eq!(payload, b"install the door lock");
/// # Ok::<(), Error>(())
/// ```
pub struct HssSigner {
    crypto: CryptoProvider,
    key: HssSecretKey,
    public: PublicKey,
    inner: Mutex<Inner>,
}

struct Inner {
    state: Box<dyn HssState>,
    /// The trees in use, one for each level.
    grown: Vec<Grown>,
}

/// A tree with all its nodes.
struct Grown {
    /// Which of its level it is.
    number: u64,
    tree: TreeKey,
    seed: Zeroizing<[u8; 32]>,
    /// Node 1 is the root, the children of `i` are `2i` and `2i + 1`; 0 is unused.
    nodes: Vec<Node>,
    /// The signature by the leaf above and the tree's key; empty at the top.
    signed: Vec<u8>,
}

impl HssSigner {
    /// Makes the top tree: from milliseconds at height 5 to minutes at height 20.
    ///
    /// # Errors
    ///
    /// None at present; making a tree can't fail.
    pub fn new(
        crypto: &CryptoProvider,
        key: HssSecretKey,
        state: Box<dyn HssState>,
    ) -> Result<Self, Error> {
        let (lms, ots) = key.levels.first().copied().ok_or(KeyError::Invalid)?;
        let top = Grown::grow(crypto, lms, ots, key.id, key.seed.clone());
        let levels = u8::try_from(key.levels.len()).map_err(|_| KeyError::Invalid)?;
        let public = HssPublicKey {
            levels,
            top: top.tree,
        };
        Ok(Self {
            crypto: *crypto,
            key,
            public: PublicKey::HssLms(public),
            inner: Mutex::new(Inner {
                state,
                grown: vec![top],
            }),
        })
    }
}

impl Signer for HssSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let poisoned = |_| Error::Crypto("a signature failed midway");
        let mut inner = self.inner.lock().map_err(poisoned)?;
        let number = inner.state.claim()?;
        if number >= self.key.capacity() {
            return Err(Error::Crypto("the key has made all its signatures"));
        }
        // At most 7 levels lie below the top.
        let below = u32::try_from(self.key.levels.len().saturating_sub(1)).unwrap_or_default();
        let mut signature = below.to_be_bytes().to_vec();
        for (level, (lms, ots)) in self.key.levels.iter().enumerate() {
            let place = number >> self.key.bits_below(level);
            if inner
                .grown
                .get(level)
                .is_none_or(|grown| grown.number != place)
            {
                // The leaf above is the last one that was reached.
                let above = level
                    .checked_sub(1)
                    .and_then(|above| inner.grown.get(above));
                let above = above.ok_or(Error::Crypto("the trees are lost"))?;
                let leaf = leaf_of(place, above.tree.lms);
                let grown = Grown::below(&self.crypto, above, leaf, (*lms, *ots), place);
                inner.grown.truncate(level);
                inner.grown.push(grown);
            }
            let grown = inner.grown.get(level);
            signature.extend(grown.map(|grown| &grown.signed).into_iter().flatten());
        }
        let last = inner
            .grown
            .last()
            .ok_or(Error::Crypto("the trees are lost"))?;
        let leaf = leaf_of(number, last.tree.lms);
        signature.extend(last.sign(&self.crypto, leaf, message));
        Ok(signature)
    }
}

/// The leaf in its tree of a number that counts the leaves of all trees of the level.
fn leaf_of(number: u64, lms: Lms) -> u32 {
    let within = number & ((1 << lms.height()) - 1);
    // A height is at most 25.
    u32::try_from(within).unwrap_or_default()
}

impl Grown {
    fn grow(
        crypto: &CryptoProvider,
        lms: Lms,
        ots: Ots,
        id: [u8; 16],
        seed: Zeroizing<[u8; 32]>,
    ) -> Self {
        let mut tree = TreeKey {
            lms,
            ots,
            id,
            root: [0; 32],
        };
        let digests = crypto.digests;
        let hasher = Hasher {
            digests,
            tree: &tree,
        };
        let leaves: u32 = 1 << lms.height();
        let mut nodes = vec![[0; 32]; 2 * leaves as usize];
        for leaf in 0..leaves {
            let mut context = hasher.start(leaf, ONE_TIME_KEY);
            for chain in chains(ots) {
                let start = hasher.secret(leaf, chain, &seed);
                let end = hasher.chain(leaf, chain, 0..ots.greatest(), start);
                context.update(tree.used(&end));
            }
            let number = leaves + leaf;
            let node = hasher.leaf(number, &hasher.finish(context));
            if let Some(place) = nodes.get_mut(number as usize) {
                *place = node;
            }
        }
        for number in (1..leaves).rev() {
            let children = nodes
                .get(2 * number as usize..)
                .and_then(|n| n.first_chunk());
            let [left, right] = children.copied().unwrap_or_default();
            let node = hasher.inner(number, tree.used(&left), tree.used(&right));
            if let Some(place) = nodes.get_mut(number as usize) {
                *place = node;
            }
        }
        tree.root = nodes.get(1).copied().unwrap_or_default();
        Self {
            number: 0,
            tree,
            seed,
            nodes,
            signed: Vec::new(),
        }
    }

    /// The tree below a leaf. The same leaf always has the same tree and signs it the same way: it signs once.
    fn below(
        crypto: &CryptoProvider,
        above: &Self,
        leaf: u32,
        (lms, ots): (Lms, Ots),
        number: u64,
    ) -> Self {
        let derive = |kind: u16| {
            let mut context = crypto.digests.start(crate::DigestAlgorithm::Sha256);
            context.update(&above.tree.id);
            context.update(&leaf.to_be_bytes());
            context.update(&kind.to_be_bytes());
            context.update(&[0xff]);
            context.update(&*above.seed);
            node(context.finish().as_ref())
        };
        let seed = Zeroizing::new(derive(CHILD_SEED));
        let id = derive(CHILD_ID).first_chunk().copied().unwrap_or_default();
        let mut grown = Self::grow(crypto, lms, ots, id, seed);
        let mut key = Vec::new();
        grown.tree.write(&mut key);
        grown.signed = above.sign(crypto, leaf, &key);
        grown.signed.extend(key);
        grown.number = number;
        grown
    }

    /// A signature by a leaf, with the way to the root.
    fn sign(&self, crypto: &CryptoProvider, leaf: u32, message: &[u8]) -> Vec<u8> {
        let tree = &self.tree;
        let digests = crypto.digests;
        let hasher = Hasher { digests, tree };
        let randomizer = hasher.secret(leaf, RANDOMIZER, &self.seed);
        let randomizer = tree.used(&randomizer);
        let mut signature = leaf.to_be_bytes().to_vec();
        signature.extend(tree.ots.number().to_be_bytes());
        signature.extend(randomizer);
        let digits = hasher.digits(leaf, randomizer, message);
        for (chain, digit) in chains(tree.ots).zip(digits) {
            let start = hasher.secret(leaf, chain, &self.seed);
            let value = hasher.chain(leaf, chain, 0..u16::from(digit), start);
            signature.extend(tree.used(&value));
        }
        signature.extend(tree.lms.number().to_be_bytes());
        let mut number = (1 << tree.lms.height()) + leaf;
        while number > 1 {
            let sibling = self.nodes.get((number ^ 1) as usize);
            signature.extend(tree.used(&sibling.copied().unwrap_or_default()));
            number /= 2;
        }
        signature
    }
}

/// In place of the number of a chain, of which there are at most 265.
const RANDOMIZER: u16 = 0xfffd;
const CHILD_SEED: u16 = 0xfffe;
const CHILD_ID: u16 = 0xffff;

fn chains(ots: Ots) -> impl Iterator<Item = u16> {
    (0..).take(ots.digits())
}

impl Hasher<'_> {
    /// What a leaf keeps secret, from the seed of its tree (RFC 8554 appendix A).
    fn secret(self, leaf: u32, chain: u16, seed: &[u8; 32]) -> Node {
        let mut context = self.start(leaf, chain.to_be_bytes());
        context.update(&[0xff]);
        context.update(seed);
        self.finish(context)
    }
}
