use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use base16ct::lower::encode_string;
use tamarack_suit::explain::Tree;

/// A part of a message: its name and number in the standard, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The name in the standard, or what comes closest to one.
    pub name: String,
    /// The number that stands for the name: a label, or a key of a claim or header parameter.
    pub number: Option<i64>,
    /// What is there.
    pub content: Content,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A value, or something that describes itself, such as a manifest.
    Leaf(Tree),
    /// Several things in order.
    List(Vec<Content>),
    /// Several things by name.
    Map(Vec<Node>),
}

impl Node {
    pub(super) fn new(name: impl Into<String>, number: Option<i64>, content: Content) -> Self {
        let name = name.into();
        Self {
            name,
            number,
            content,
        }
    }

    /// A part that has no number.
    pub(super) fn plain(name: &str, content: impl Into<Content>) -> Self {
        Self::new(name, None, content.into())
    }
}

impl Content {
    pub(super) fn text(text: impl fmt::Display) -> Self {
        Self::Leaf(Tree::Text(text.to_string()))
    }

    /// All bytes: what is compared by hand must not be cut.
    pub(super) fn hex(bytes: &[u8]) -> Self {
        Self::Leaf(Tree::Text(encode_string(bytes)))
    }

    /// The first bytes, and how many there are.
    pub(super) fn start_of(bytes: &[u8]) -> Self {
        const SHOWN: usize = 64;
        match bytes.get(..SHOWN) {
            Some(shown) if shown.len() < bytes.len() => Self::text(format!(
                "{}... ({} bytes)",
                encode_string(shown),
                bytes.len()
            )),
            _ => Self::hex(bytes),
        }
    }

    fn is_scalar(&self) -> bool {
        match self {
            Self::Leaf(tree) => !matches!(tree, Tree::List(_) | Tree::Map(_)),
            Self::List(_) | Self::Map(_) => false,
        }
    }

    /// The member with a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(nodes) => {
                let found = nodes.iter().find(|node| node.name == name);
                found.map(|node| &node.content)
            }
            _ => None,
        }
    }

    /// For a person: names with their numbers, and what is too long for a line under a heading.
    #[must_use]
    pub fn numbered(&self) -> Tree {
        match self {
            Self::Leaf(tree) => tree.clone(),
            Self::Map(nodes) => Tree::Map(
                nodes
                    .iter()
                    .map(|node| {
                        let name = match node.number {
                            Some(number) => format!("{} ({number})", node.name),
                            None => node.name.clone(),
                        };
                        (name, node.content.numbered())
                    })
                    .collect(),
            ),
            Self::List(items) if items.iter().all(Self::fits_a_line) => {
                Tree::List(items.iter().map(Self::numbered).collect())
            }
            Self::List(items) => Tree::Map(
                items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| (format!("[{at}]"), item.numbered()))
                    .collect(),
            ),
        }
    }

    fn fits_a_line(&self) -> bool {
        match self {
            Self::Map(nodes) => {
                nodes.len() <= 4 && nodes.iter().all(|node| node.content.is_scalar())
            }
            other => other.is_scalar(),
        }
    }

    /// For a program: names without numbers, as members of objects. Of parts with the same name, the second
    /// is called `NAME#2`, and so on.
    #[must_use]
    pub fn named(&self) -> Tree {
        match self {
            Self::Leaf(tree) => tree.clone(),
            Self::List(items) => Tree::List(items.iter().map(Self::named).collect()),
            Self::Map(nodes) => {
                let mut members: Vec<(String, Tree)> = Vec::new();
                for node in nodes {
                    let again = |name: &str| members.iter().any(|(known, _)| known == name);
                    let mut name = node.name.clone();
                    let mut count = 2;
                    while again(&name) {
                        name = format!("{}#{count}", node.name);
                        count += 1;
                    }
                    members.push((name, node.content.named()));
                }
                Tree::Map(members)
            }
        }
    }
}

impl From<Tree> for Content {
    fn from(tree: Tree) -> Self {
        Self::Leaf(tree)
    }
}

impl From<Vec<Node>> for Content {
    fn from(nodes: Vec<Node>) -> Self {
        Self::Map(nodes)
    }
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Allowed, and worth a look.
    Note,
    /// Against the standard, or not what it claims to be.
    Problem,
}

/// Something about a message that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The byte of the input where it is, however deep it is nested.
    pub offset: usize,
    /// How many bytes the item at fault has; at least one.
    pub length: usize,
    /// The names of the parts around it, such as `QueryResponse / options / token (20)`.
    pub path: String,
    /// What it is.
    pub what: String,
    /// Where the rule is written.
    pub source: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "byte {}, {}: {} [{}]",
            self.offset, self.path, self.what, self.source
        )
    }
}
