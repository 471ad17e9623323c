//! The permissions file: strict, since what it says by mistake somebody may do.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use nix::unistd::{Group, User};
use serde::Deserialize;
use tamarack_suit::ComponentId;

use super::{Pattern, Rule};
use crate::BrokerError;

/// Longest file, in bytes.
const MAX_BYTES: u64 = 256 << 10;

/// Most rules.
const MAX_RULES: usize = 1024;

/// Most users, groups or components in one list of a rule.
const MAX_LIST: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    users: Vec<Name>,
    #[serde(default)]
    groups: Vec<Name>,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    open: Vec<String>,
    #[serde(default)]
    request: Vec<String>,
    #[serde(default)]
    unrequest: Vec<String>,
    #[serde(default)]
    check_policy: bool,
}

/// A user or group, as the machine's user database names it or by its number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a name or a number of 32 bits")]
enum Name {
    Number(u32),
    Text(String),
}

/// Reads the rules in a file, which nobody may write but root and the user `owner`.
pub(super) fn read(path: &Path, owner: u32) -> Result<Vec<Rule>, BrokerError> {
    let fault = |reason: String| BrokerError::Permissions {
        path: path.to_owned(),
        reason,
    };
    let bytes = read_guarded(path, owner).map_err(fault)?;
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|error| fault(error.to_string()))?;
    if document.rules.len() > MAX_RULES {
        return Err(fault(format!("it has more than {MAX_RULES} rules")));
    }
    let rules = document.rules.into_iter().enumerate();
    rules
        .map(|(index, entry)| {
            let rule = entry.rule();
            rule.map_err(|reason| fault(format!("rule {}: {reason}", index + 1)))
        })
        .collect()
}

fn read_guarded(path: &Path, owner: u32) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let found = file.metadata().map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no file".into());
    }
    if found.uid() != 0 && found.uid() != owner {
        let user = found.uid();
        return Err(format!(
            "it belongs to user {user}; it must be root's or that of the broker's own user"
        ));
    }
    if found.permissions().mode() & 0o022 != 0 {
        return Err("others than its owner may write it; `chmod go-w` it".into());
    }
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    if read.map_err(|error| error.to_string())? as u64 > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    Ok(bytes)
}

impl Entry {
    fn rule(self) -> Result<Rule, String> {
        if self.users.is_empty() && self.groups.is_empty() {
            return Err("it has neither users nor groups".into());
        }
        let everybody = |name: &Name| matches!(name, Name::Text(text) if text == "*");
        let rule = Rule {
            everybody: self.users.iter().any(everybody),
            users: numbers("users", self.users, |name| {
                // Everybody has no number.
                if name == "*" {
                    return Ok(None);
                }
                let found = User::from_name(name).map_err(|error| error.to_string())?;
                let found = found.ok_or_else(|| format!("there is no user {name:?}"))?;
                Ok(Some(found.uid.as_raw()))
            })?,
            groups: numbers("groups", self.groups, |name| group_number(name).map(Some))?,
            list: patterns("list", &self.list)?,
            open: patterns("open", &self.open)?,
            request: patterns("request", &self.request)?,
            unrequest: patterns("unrequest", &self.unrequest)?,
            check_policy: self.check_policy,
        };
        let lists = [&rule.list, &rule.open, &rule.request, &rule.unrequest];
        if lists.iter().all(|list| list.is_empty()) && !rule.check_policy {
            return Err("it allows nothing".into());
        }
        Ok(rule)
    }
}

/// The number of a group, by its name.
pub(crate) fn group_number(name: &str) -> Result<u32, String> {
    let found = Group::from_name(name).map_err(|error| error.to_string())?;
    let found = found.ok_or_else(|| format!("there is no group {name:?}"))?;
    Ok(found.gid.as_raw())
}

fn bounded<T>(member: &str, list: &[T]) -> Result<(), String> {
    if list.len() > MAX_LIST {
        return Err(format!("{member}: more than {MAX_LIST} entries"));
    }
    Ok(())
}

fn numbers(
    member: &str,
    names: Vec<Name>,
    number: impl Fn(&str) -> Result<Option<u32>, String>,
) -> Result<Vec<u32>, String> {
    bounded(member, &names)?;
    let mut found = Vec::new();
    for name in names {
        match name {
            Name::Number(number) => found.push(number),
            Name::Text(text) => {
                let number = number(&text).map_err(|reason| format!("{member}: {reason}"))?;
                found.extend(number);
            }
        }
    }
    Ok(found)
}

fn patterns(member: &str, texts: &[String]) -> Result<Vec<Pattern>, String> {
    bounded(member, texts)?;
    let pattern = |text: &String| {
        pattern(text).map_err(|reason| format!("{member}: component {text:?}: {reason}"))
    };
    texts.iter().map(pattern).collect()
}

/// A component identifier; with `*` as its last segment all that go on from what is before, and `*` alone all.
fn pattern(text: &str) -> Result<Pattern, String> {
    let prefix = match text {
        "*" => Some(""),
        _ => text.strip_suffix("/*"),
    };
    let identifier = prefix.unwrap_or(text);
    if identifier.contains('*') {
        return Err(
            "* stands for all components below, as the last segment only; %2a is a *".into(),
        );
    }
    if identifier.is_empty() && prefix != Some("") || text == "/*" {
        return Err("it names nothing".into());
    }
    let id: ComponentId = identifier
        .parse()
        .map_err(|error: tamarack_suit::ComponentIdError| error.to_string())?;
    Ok(match prefix {
        Some(_) => Pattern::Below(id),
        None => Pattern::Exactly(id),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        peer::Peer,
        permissions::{Action, Permissions},
    };

    fn read_text(text: &str) -> Result<Vec<Rule>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("permissions.json");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        read(&path, owner).map_err(|error| error.to_string())
    }

    fn peer(user: u32, groups: &[u32]) -> Peer {
        Peer {
            user,
            groups: groups.to_vec(),
        }
    }

    fn id(text: &str) -> ComponentId {
        text.parse().unwrap()
    }

    #[test]
    fn rules_allow_what_they_name_and_nothing_else() {
        let rules = read_text(
            r#"{"rules": [
                {"users": [70001], "open": ["acme/lock"], "list": ["acme/*"]},
                {"groups": [70100, "root"], "request": ["*"], "unrequest": ["acme/lock/*"], "check_policy": true},
                {"users": ["*"], "list": ["public/%2a"]}
            ]}"#,
        );
        let rules = rules.unwrap();
        fn any(rules: &[Rule], peer: &Peer, action: Action<'_>) -> bool {
            rules.iter().any(|rule| rule.allows(peer, action))
        }
        let (lock, key, other) = (id("acme/lock"), id("acme/lock/key"), id("acme-2/lock"));

        let first = peer(70001, &[70001]);
        assert!(any(&rules, &first, Action::Open(&lock)));
        assert!(!any(&rules, &first, Action::Open(&key)));
        assert!(!any(&rules, &first, Action::Open(&other)));
        assert!(
            any(&rules, &first, Action::List(&lock)) && any(&rules, &first, Action::List(&key))
        );
        assert!(
            !any(&rules, &first, Action::List(&other))
                && !any(&rules, &first, Action::List(&id("acme")))
        );
        assert!(
            !any(&rules, &first, Action::Request(&lock))
                && !any(&rules, &first, Action::CheckPolicy)
        );
        assert!(any(&rules, &first, Action::Describe) && any(&rules, &first, Action::ListAny));

        for second in [peer(70002, &[1, 70100]), peer(70003, &[0])] {
            assert!(any(&rules, &second, Action::Request(&other)));
            assert!(!any(&rules, &second, Action::Request(&id(""))));
            assert!(any(&rules, &second, Action::Unrequest(&key)));
            assert!(!any(&rules, &second, Action::Unrequest(&lock)));
            assert!(any(&rules, &second, Action::CheckPolicy));
            assert!(!any(&rules, &second, Action::Open(&lock)));
            assert!(!any(&rules, &second, Action::List(&lock)));
        }
        let anybody = peer(70009, &[]);
        assert!(any(&rules, &anybody, Action::List(&id("public/%2a"))));
        assert!(!any(&rules, &anybody, Action::List(&id("public/x"))));
    }

    #[test]
    fn root_and_the_brokers_user_need_no_rules_and_others_have_nothing_without() {
        let permissions = Permissions::open(None).unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        let lock = id("acme/lock");
        for user in [0, owner] {
            permissions
                .check(&peer(user, &[]), Action::Open(&lock))
                .unwrap();
        }
        for action in [
            Action::Open(&lock),
            Action::List(&lock),
            Action::ListAny,
            Action::Describe,
        ] {
            let denied = permissions.check(&peer(70001, &[0, owner]), action);
            let text = denied.unwrap_err().to_string();
            assert!(
                text.contains("70001") && text.contains("--permissions"),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_but_rules_is_refused_with_what_is_wrong() {
        let long = format!(
            r#"{{"rules": [{{"users": [1], "list": [{}"a"]}}]}}"#,
            r#""a","#.repeat(MAX_LIST)
        );
        let many = format!(
            r#"{{"rules": [{}{{"users": [1], "list": ["a"]}}]}}"#,
            r#"{"users": [1], "list": ["a"]},"#.repeat(MAX_RULES)
        );
        let huge = format!(r#"{{"rules": []{}}}"#, " ".repeat(300 << 10));
        for (text, words) in [
            ("", "EOF"),
            ("[]", "expected struct"),
            (r#"{"rules": [], "mode": "open"}"#, "unknown field `mode`"),
            (r#"{"rules": [], "rules": []}"#, "duplicate field"),
            (
                r#"{"rules": [{"user": [1], "list": ["a"]}]}"#,
                "unknown field `user`",
            ),
            (
                r#"{"rules": [{"list": ["a"]}]}"#,
                "rule 1: it has neither users nor groups",
            ),
            (
                r#"{"rules": [{"users": [1]}]}"#,
                "rule 1: it allows nothing",
            ),
            (
                r#"{"rules": [{"users": [-1], "list": ["a"]}]}"#,
                "a name or a number",
            ),
            (
                r#"{"rules": [{"users": [4294967296], "list": ["a"]}]}"#,
                "a name or a number",
            ),
            (
                r#"{"rules": [{"users": ["no such user"], "list": ["a"]}]}"#,
                "there is no user",
            ),
            (
                r#"{"rules": [{"groups": ["*"], "list": ["a"]}]}"#,
                "there is no group",
            ),
            (
                r#"{"rules": [{"users": [1], "list": ["a/*/b"]}]}"#,
                "list: component \"a/*/b\": *",
            ),
            (
                r#"{"rules": [{"users": [1], "open": ["a*"]}]}"#,
                "open: component",
            ),
            (
                r#"{"rules": [{"users": [1], "open": [""]}]}"#,
                "names nothing",
            ),
            (
                r#"{"rules": [{"users": [1], "open": ["/*"]}]}"#,
                "names nothing",
            ),
            (
                r#"{"rules": [{"users": [1], "open": ["0xzz"]}]}"#,
                "hexadecimal",
            ),
            (
                r#"{"rules": [{"users": [1], "check_policy": 1}]}"#,
                "boolean",
            ),
            (&long, "more than 256"),
            (&many, "more than 1024 rules"),
            (&huge, "longer than"),
        ] {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(words), "{error} does not name {words}");
        }
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("permissions.json");
        fs::write(&path, r#"{"rules": []}"#).unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        for (mode, good) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, owner).is_ok(), good, "{mode:o}");
        }
        let error = read(folder.path(), owner).unwrap_err().to_string();
        assert!(error.contains("no file"), "{error}");
    }
}
