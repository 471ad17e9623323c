//! Lines that are wider than the terminal, continued below themselves.

use crate::output::DIM;

/// Narrowest continuation, in columns: below that, lines are left to the terminal.
const NARROWEST: usize = 20;

/// Breaks the lines of an outline at `width` columns, at spaces where there are any. What continues a line
/// stands behind its rails, a little further in.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        wrap_line(line, width, &mut out);
        out.push('\n');
    }
    out.pop();
    out
}

/// A character, or an escape sequence, which takes no column.
enum Piece<'t> {
    Visible(char),
    Style(&'t str),
}

fn pieces(line: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        if first == '\u{1b}'
            && let Some(end) = rest.find('m')
        {
            let (style, left) = rest.split_at(end + 1);
            rest = left;
            return Some(Piece::Style(style));
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
        Some(Piece::Visible(first))
    })
}

fn wrap_line(line: &str, width: usize, out: &mut String) {
    let visible: Vec<char> = pieces(line)
        .filter_map(|piece| match piece {
            Piece::Visible(c) => Some(c),
            Piece::Style(_) => None,
        })
        .collect();
    let rails: String = visible
        .iter()
        .take_while(|c| matches!(c, '│' | '├' | '└' | '─' | ' '))
        .map(|c| match c {
            '│' | '├' => '│',
            _ => ' ',
        })
        .collect();
    let margin = rails.chars().count() + 4;
    if visible.len() <= width || margin + NARROWEST > width {
        out.push_str(line);
        return;
    }
    let breaks = breaks(&visible, margin, width);
    let (mut style, mut at) = (String::new(), 0);
    for piece in pieces(line) {
        match piece {
            Piece::Style(escape) => {
                style.clear();
                // A reset is the only style that ends another one.
                if escape != "\u{1b}[0m" {
                    style.push_str(escape);
                }
                out.push_str(escape);
            }
            Piece::Visible(c) => {
                if breaks.contains(&at) {
                    let reset = if style.is_empty() { "" } else { "\u{1b}[0m" };
                    out.push_str(&format!("{reset}\n{DIM}{rails}{DIM:#}    {style}"));
                }
                at += 1;
                // A space where a line ends is not seen.
                if !(c == ' ' && breaks.contains(&at)) {
                    out.push(c);
                }
            }
        }
    }
}

/// Where lines start, counted in visible characters.
fn breaks(visible: &[char], margin: usize, width: usize) -> Vec<usize> {
    let mut breaks = Vec::new();
    let (mut start, mut room) = (0, width);
    while visible.len() - start > room {
        let line = visible.get(start..start + room).unwrap_or_default();
        // Not so early that hardly anything is left on the line.
        let space = line
            .iter()
            .rposition(|c| *c == ' ')
            .filter(|at| *at > margin.max(room / 2));
        start += space.map_or(room, |at| at + 1);
        breaks.push(start);
        room = width - margin;
    }
    breaks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn lines_continue_behind_their_rails() {
        let text = "├─ name  some words that do not fit on one line\n└─ x  short";
        let expected = "├─ name  some words that do not\n│      fit on one line\n└─ x  short";
        assert_eq!(plain(&wrap(text, 32)), expected);
    }

    #[test]
    fn what_has_no_spaces_is_cut() {
        let text = format!("└─ token  {DIM}{}{DIM:#}", "ab".repeat(20));
        let wrapped = wrap(&text, 30);
        let lines: Vec<String> = plain(&wrapped).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines.iter().all(|line| line.chars().count() <= 30),
            "{lines:?}"
        );
        let letters: String = lines
            .concat()
            .chars()
            .filter(|c| matches!(c, 'a' | 'b'))
            .collect();
        assert_eq!(letters, "ab".repeat(20));
    }

    #[test]
    fn narrow_terminals_are_left_alone() {
        assert_eq!(
            wrap("├─ a b c d e f g h i j k l", 10),
            "├─ a b c d e f g h i j k l"
        );
        assert_eq!(wrap("", 10), "");
    }
}
