//! A description as a tree with rails, for a terminal.

use tamarack_suit::explain::Tree;

use crate::output::{BAD, DIM, GOOD, STRONG, printable};

/// The tree below a headline; its lines without a newline at the end.
pub(crate) fn outline(tree: &Tree) -> String {
    let mut out = String::new();
    members(tree, "", &mut out);
    out.truncate(out.trim_end().len());
    out
}

/// The marks before the last line of a list, and before the others: of the line, and of what is below it.
fn rails(last: bool) -> [&'static str; 2] {
    match last {
        true => ["└─ ", "   "],
        false => ["├─ ", "│  "],
    }
}

fn line(out: &mut String, margin: &str, mark: &str, text: &str) {
    out.push_str(&format!("{DIM}{margin}{mark}{DIM:#}{text}\n"));
}

fn members(tree: &Tree, margin: &str, out: &mut String) {
    match tree {
        Tree::Map(members) => {
            let names = members.iter().filter(|(_, tree)| scalar(tree).is_some());
            let width = names.map(|(name, _)| printable(name).chars().count()).max();
            let width = width.unwrap_or(0);
            for (at, (name, tree)) in members.iter().enumerate() {
                let [mark, below] = rails(at + 1 == members.len());
                let name = printable(name);
                let below = format!("{margin}{below}");
                match (scalar(tree), tree) {
                    (Some(text), _) => {
                        let text = format!("{name:width$}  {text}");
                        line(out, margin, mark, &text);
                    }
                    (None, Tree::Text(text)) => {
                        line(out, margin, mark, &name);
                        for text in text.lines() {
                            let text = format!("{DIM}{}{DIM:#}", printable(text));
                            line(out, &below, "  ", &text);
                        }
                    }
                    _ => {
                        line(out, margin, mark, &format!("{STRONG}{name}{STRONG:#}"));
                        self::members(tree, &below, out);
                    }
                }
            }
        }
        Tree::List(items) => {
            for (at, item) in items.iter().enumerate() {
                let [mark, below] = rails(at + 1 == items.len());
                let below = format!("{margin}{below}");
                match item {
                    Tree::Map(entries) => {
                        line(out, margin, mark, &headline(entries));
                        let nested: Vec<&(String, Tree)> = entries
                            .iter()
                            .filter(|(_, tree)| scalar(tree).is_none())
                            .collect();
                        // What a single member would be headed by, the line above says already.
                        match nested.as_slice() {
                            [(_, only)] => members(only, &below, out),
                            several => {
                                let several = several.iter().map(|entry| (*entry).clone());
                                members(&Tree::Map(several.collect()), &below, out);
                            }
                        }
                    }
                    Tree::List(_) => {
                        line(out, margin, mark, &format!("{DIM}{}{DIM:#}", at + 1));
                        members(item, &below, out);
                    }
                    other => {
                        let text = scalar(other).unwrap_or_default();
                        line(out, margin, mark, &format!("{DIM}{at}{DIM:#}  {text}"));
                    }
                }
            }
        }
        other => line(out, margin, "└─ ", &scalar(other).unwrap_or_default()),
    }
}

/// The scalars of an item on one line: the first is what it is, the others are about it.
fn headline(entries: &[(String, Tree)]) -> String {
    let mut scalars = entries
        .iter()
        .filter_map(|(name, tree)| Some((name, tree, scalar(tree)?)));
    let mut text = scalars.next().map_or_else(String::new, |(_, _, text)| text);
    for (name, tree, value) in scalars {
        let name = printable(name);
        text += &match tree {
            Tree::Flag(_) => format!("  {DIM}{name}{DIM:#} {value}"),
            _ => format!("  {DIM}{name} {value}{DIM:#}"),
        };
    }
    text
}

/// What fits on the line of its name.
fn scalar(tree: &Tree) -> Option<String> {
    match tree {
        Tree::Flag(true) => Some(format!("{GOOD}yes{GOOD:#}")),
        Tree::Flag(false) => Some(format!("{BAD}no{BAD:#}")),
        Tree::Text(text) if text.contains('\n') => None,
        Tree::Text(text) => Some(printable(text)),
        Tree::Number(number) => Some(number.to_string()),
        Tree::List(items) if items.is_empty() => Some(format!("{DIM}none{DIM:#}")),
        Tree::List(items) => {
            let number = |item: &Tree| match item {
                Tree::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let numbers: Option<Vec<String>> = items.iter().map(number).collect();
            numbers.map(|numbers| format!("[{}]", numbers.join(", ")))
        }
        Tree::Map(_) => None,
    }
}

/// A value without its name: text as it is, for programs; all else in one line.
pub(super) fn plain(tree: &Tree) -> String {
    match tree {
        Tree::Text(text) => text.clone(),
        other => {
            let text = other.to_string();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Tree {
        Tree::Text(text.into())
    }

    fn map(members: &[(&str, Tree)]) -> Tree {
        let named = |(name, tree): &(&str, Tree)| ((*name).to_owned(), tree.clone());
        Tree::Map(members.iter().map(named).collect())
    }

    #[test]
    fn a_tree_has_rails() {
        let command = map(&[("command", text("fetch")), ("policy", Tree::Number(2))]);
        let tree = map(&[
            ("digest", text("sha256:00")),
            ("digest-matches", Tree::Flag(true)),
            ("words", text("one\n\u{1b}two")),
            ("install", Tree::List(vec![command.clone(), command])),
            ("evil\u{1b}", Tree::List(vec![text("a"), text("b")])),
        ]);
        let plain = anstream::adapter::strip_str(&outline(&tree)).to_string();
        let expected = "\
├─ digest          sha256:00
├─ digest-matches  yes
├─ words
│    one
│    \\u{1b}two
├─ install
│  ├─ fetch  policy 2
│  └─ fetch  policy 2
└─ evil\\u{1b}
   ├─ 0  a
   └─ 1  b";
        assert_eq!(plain, expected);
    }
}
