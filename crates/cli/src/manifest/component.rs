//! Components on the command line: each `--component` starts one, and what follows it belongs to it.

use std::path::PathBuf;

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, error::ErrorKind,
    value_parser,
};
use tamarack_cose::{CryptoProvider, DigestAlgorithm};
use tamarack_suit::{ComponentId, SuitDigest, author::ComponentBuilder};

use super::create::Applies;
use crate::{failure::Failure, files};

/// A component, as far as the command line describes it.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) id: ComponentId,
    payload: Option<PathBuf>,
    uri: Option<String>,
    slot: Option<u64>,
}

/// The components in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Components(pub(super) Vec<Component>);

impl Components {
    /// Reads the payloads and makes the components; those with one identifier are one, with a slot each.
    pub(super) fn build(
        &self,
        applies: Applies,
        algorithm: DigestAlgorithm,
        crypto: &CryptoProvider,
    ) -> Result<Vec<(ComponentId, ComponentBuilder)>, Failure> {
        let mut built: Vec<(ComponentId, ComponentBuilder)> = Vec::new();
        for (position, component) in self.0.iter().enumerate() {
            let image = component.image(position, algorithm, crypto)?;
            let at = built.iter().position(|(id, _)| *id == component.id);
            match at {
                Some(at) => {
                    self.refuse_slots_in_common(&component.id)?;
                    let (id, first) = built.swap_remove(at);
                    built.insert(at, (id, first.or(image)));
                }
                None => built.push((component.id.clone(), applies.to(image))),
            }
        }
        Ok(built)
    }

    fn refuse_slots_in_common(&self, id: &ComponentId) -> Result<(), Failure> {
        let same = self.0.iter().filter(|component| component.id == *id);
        let mut slots: Vec<Option<u64>> = same.map(|component| component.slot).collect();
        let count = slots.len();
        slots.sort_unstable();
        slots.dedup();
        if slots.len() < count || slots.contains(&None) {
            return Err(
                Failure::new(format!("--component {id} is there twice")).hint(
                    "images for different slots of one component are told apart by --slot after each",
                ),
            );
        }
        Ok(())
    }
}

impl Component {
    fn image(
        &self,
        position: usize,
        algorithm: DigestAlgorithm,
        crypto: &CryptoProvider,
    ) -> Result<ComponentBuilder, Failure> {
        let mut image = ComponentBuilder::new(self.id.clone());
        if let Some(slot) = self.slot {
            image = image.slot(slot);
        }
        let path = self.payload.as_ref().ok_or_else(|| {
            Failure::new(format!("--component {}: --payload is missing", self.id))
                .hint("give the file with the component's content after it; with --uri, it is measured and not carried")
        })?;
        let payload = files::read(path)?;
        let (digest, length) = (
            SuitDigest::of(crypto, algorithm, &payload),
            payload.len() as u64,
        );
        Ok(match &self.uri {
            Some(uri) if !uri.starts_with('#') => image.uri(uri, digest, length),
            key => {
                let key = key.clone().unwrap_or_else(|| match position {
                    0 => "#payload".into(),
                    position => format!("#payload-{}", position + 1),
                });
                image.integrated(crypto, key, payload).image(digest, length)
            }
        })
    }
}

const COMPONENT: &str = "component";
const PAYLOAD: &str = "payload";
const URI: &str = "uri";
const SLOT: &str = "slot";

impl Args for Components {
    fn augment_args(command: Command) -> Command {
        let arg = |name: &'static str, value: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name(value)
                .action(ArgAction::Append)
                .conflicts_with_all(["domain", "from"])
                .help_heading("Components")
        };
        let of_component = |name, value| arg(name, value).requires(COMPONENT);
        command
            .arg(
                arg(COMPONENT, "ID")
                    .value_parser(value_parser!(ComponentId))
                    .required_unless_present_any(["domain", "from"])
                    .help("A component to install: segments joined by `/`, such as acme/hello. What follows, up to the next --component, is about this one"),
            )
            .arg(
                of_component(PAYLOAD, "FILE")
                    .value_parser(value_parser!(PathBuf))
                    .required_unless_present_any(["domain", "from"])
                    .help("The file with the component's content, which the envelope carries"),
            )
            .arg(of_component(URI, "URI").help(
                "Have devices fetch the content from here instead; `#name` carries it in the envelope under that key",
            ))
            .arg(
                of_component(SLOT, "NUMBER")
                    .value_parser(value_parser!(u64))
                    .help("The slot that this content is for; repeat --component with the same ID for the other slots"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Components {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let components = placed::<ComponentId>(matches, COMPONENT).into_iter();
        let mut components: Vec<(usize, Component)> = components
            .map(|(at, id)| {
                let component = Component {
                    id,
                    payload: None,
                    uri: None,
                    slot: None,
                };
                (at, component)
            })
            .collect();
        place(matches, PAYLOAD, &mut components, |c| &mut c.payload)?;
        place(matches, URI, &mut components, |c| &mut c.uri)?;
        place(matches, SLOT, &mut components, |c| &mut c.slot)?;
        Ok(Self(components.into_iter().map(|(_, c)| c).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of an option with their places on the command line.
fn placed<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<(usize, T)> {
    let places = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<T>(name).into_iter().flatten().cloned();
    places.zip(values).collect()
}

/// Gives each value of an option to the component before it. An option before the first component is that
/// one's.
fn place<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
    components: &mut [(usize, Component)],
    field: impl Fn(&mut Component) -> &mut Option<T>,
) -> Result<(), Error> {
    for (at, value) in placed::<T>(matches, name) {
        let before = components.iter().rposition(|(start, _)| *start < at);
        let Some((_, component)) = components.get_mut(before.unwrap_or(0)) else {
            continue;
        };
        let id = component.id.to_string();
        if field(component).replace(value).is_some() {
            let text = format!("--{name} is there twice for --component {id}\n");
            return Err(Error::raw(ErrorKind::ArgumentConflict, text));
        }
    }
    Ok(())
}
