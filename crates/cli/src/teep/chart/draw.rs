use std::path::Path;

use tamarack_suit::explain::visible;
use tamarack_trace::Party;

use super::{Group, Message, Trace, gist::abridged};
use crate::output::{BAD, DIM, STRONG};

/// What lines are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charset {
    lifeline: char,
    line: char,
    left: char,
    right: char,
    cross: char,
    ascii: bool,
}

impl Charset {
    /// For every terminal.
    pub(crate) const ASCII: Self = Self {
        lifeline: '|',
        line: '-',
        left: '<',
        right: '>',
        cross: 'x',
        ascii: true,
    };

    /// Unicode's box drawing.
    pub(crate) const UNICODE: Self = Self {
        lifeline: '│',
        line: '─',
        left: '◀',
        right: '▶',
        cross: '✗',
        ascii: false,
    };

    /// What the locale can show.
    pub(crate) fn of_locale() -> Self {
        // The first that is set decides (POSIX, section 8.2).
        let mut variables = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
        let locale = variables.find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        match locale.contains("utf-8") || locale.contains("utf8") {
            true => Self::UNICODE,
            false => Self::ASCII,
        }
    }

    /// Text in the characters of the set; letters of names stay what they are.
    fn text(self, text: &str) -> String {
        match self.ascii {
            true => text
                .replace('…', "..")
                .replace(['“', '”'], "\"")
                .replace('⇄', "<->"),
            false => text.to_owned(),
        }
    }
}

/// Columns of number and time, before the lifeline of the agent.
const MARGIN: usize = 16;

/// Narrowest chart, in columns.
const NARROWEST: usize = 52;

/// Widest chart: arrows that are longer are hard to follow.
const WIDEST: usize = 110;

impl Trace<'_> {
    /// The chart, for a terminal of so many columns.
    pub(in crate::teep) fn draw(&self, path: &Path, width: usize, charset: Charset) -> String {
        let pen = Pen {
            charset,
            inside: width.clamp(NARROWEST, WIDEST) - MARGIN - 2,
        };
        let mut out = format!(
            "{STRONG}{}{STRONG:#}  {DIM}{}, {}{DIM:#}\n",
            visible(&path.display().to_string()),
            count(self.messages.len(), "message"),
            count(self.groups.len(), "exchange"),
        );
        for (at, group) in self.groups.iter().enumerate() {
            out += &self.heading(at + 1, group, width, charset);
            out += &pen.lifelines();
            for (message, since) in self.messages_of(group) {
                out += &pen.message(message, since.as_secs_f64());
            }
        }
        for note in &self.notes {
            out += &format!("\n{DIM}note: {}{DIM:#}", charset.text(note));
        }
        out.trim_end().to_owned()
    }

    fn heading(&self, number: usize, group: &Group, width: usize, charset: Charset) -> String {
        let mut agent = match &group.agent {
            Some(id) => format!("agent {}", abridged(id)),
            None => "agent".to_owned(),
        };
        if let Some(ueid) = &group.ueid {
            agent += &format!(" on device {}", abridged(ueid));
        }
        let tam = match &group.tam {
            Some(uri) if uri.contains("://") => format!("TAM {}", visible(uri)),
            Some(id) => format!("TAM {}", abridged(id)),
            None => "TAM".to_owned(),
        };
        let started = humantime::format_rfc3339_millis(self.started(group)).to_string();
        let title = format!("exchange {number}");
        let parties = charset.text(&format!("{agent} ⇄ {tam}"));
        let length = title.len() + parties.chars().count() + started.len() + 4;
        if length <= width {
            return format!("\n{STRONG}{title}{STRONG:#}  {parties}  {DIM}{started}{DIM:#}\n");
        }
        let mut lines = format!("\n{STRONG}{title}{STRONG:#}  {DIM}{started}{DIM:#}\n");
        for party in [agent, tam] {
            let folded = fold(&charset.text(&party), width.saturating_sub(2));
            lines.extend(folded.iter().map(|line| format!("  {line}\n")));
        }
        lines
    }
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Draws lines of a chart.
struct Pen {
    charset: Charset,
    /// Columns between the lifelines.
    inside: usize,
}

impl Pen {
    /// The names of the lifelines, and their beginning.
    fn lifelines(&self) -> String {
        let gap = self.inside.saturating_sub("agent".len());
        let first = MARGIN - 2;
        format!(
            "{:first$}{STRONG}agent{STRONG:#}{:gap$}{STRONG}TAM{STRONG:#}\n",
            "", ""
        )
    }

    /// A line between the lifelines.
    fn between(&self, margin: &str, style: anstyle::Style, text: &str) -> String {
        let lifeline = self.charset.lifeline;
        let gap = self.inside.saturating_sub(text.chars().count());
        format!(
            "{DIM}{margin:MARGIN$}{lifeline}{DIM:#}{style}{text}{style:#}{:gap$}{DIM}{lifeline}{DIM:#}\n",
            ""
        )
    }

    fn message(&self, message: &Message<'_>, seconds: f64) -> String {
        let margin = format!("{:>4} {seconds:>8.3} s", format!("#{}", message.number));
        let gist = &message.gist;
        let is_bad = !gist.problems.is_empty() || message.line.fault.is_some();
        let mut out = self.between(&margin, style(is_bad), &self.arrow(message));
        let words = gist.words.join("  ");
        out += &self.words(anstyle::Style::new(), "", &words);
        const SHOWN: usize = 3;
        let cross = self.charset.cross.to_string();
        for problem in gist.problems.iter().take(SHOWN) {
            out += &self.words(BAD, &cross, problem);
        }
        if let Some(more) = gist.problems.len().checked_sub(SHOWN + 1) {
            out += &self.words(BAD, &cross, &format!("and {} more", more + 1));
        }
        if let Some(fault) = &message.line.fault {
            out += &self.words(BAD, &cross, &visible(fault));
        }
        out
    }

    /// An arrow with its label.
    fn arrow(&self, message: &Message<'_>) -> String {
        let Charset {
            line,
            left,
            right,
            cross,
            ..
        } = self.charset;
        let to = message.line.to.unwrap_or(Party::Tam);
        let status = message.line.status.map(|status| format!("HTTP {status}"));
        let label = match (message.gist.name, message.body, to) {
            _ if message.line.fault.is_some() => "no answer".to_owned(),
            (_, None | Some([]), Party::Tam) => "connect".to_owned(),
            (_, None | Some([]), Party::Agent) => status.unwrap_or_else(|| "nothing more".into()),
            (name, Some(body), _) => {
                let name = name.unwrap_or("unreadable");
                let status = status.filter(|_| message.line.status != Some(200));
                let status = status
                    .map(|status| format!(", {status}"))
                    .unwrap_or_default();
                format!("{name}, {}{status}", count(body.len(), "byte"))
            }
        };
        // Two columns of line, the head, and two spaces; what does not fit is cut.
        let room = self.inside.saturating_sub(5);
        let label: String = label.chars().take(room).collect();
        let label = format!(" {label} ");
        // Two columns of line before the label, and the head of the arrow behind the rest.
        let rest = self.inside.saturating_sub(label.chars().count() + 3);
        let lines = |count: usize| line.to_string().repeat(count);
        let head = match message.line.fault {
            Some(_) => cross,
            None => match to {
                Party::Tam => right,
                Party::Agent => left,
            },
        };
        match to {
            Party::Tam => format!("{}{label}{}{head}", lines(2), lines(rest)),
            Party::Agent => format!("{head}{}{label}{}", lines(2), lines(rest)),
        }
    }

    /// Words below an arrow, on as many lines as they need.
    fn words(&self, style: anstyle::Style, mark: &str, words: &str) -> String {
        let text = self.charset.text(words);
        let indent = if mark.is_empty() { 3 } else { 5 };
        let room = self.inside.saturating_sub(indent + 1);
        let mut out = String::new();
        for (at, line) in fold(&text, room).iter().enumerate() {
            let lead = match (at, mark) {
                (0, mark) if !mark.is_empty() => format!("   {mark} "),
                _ => " ".repeat(indent),
            };
            out += &self.between("", style, &(lead + line));
        }
        out
    }
}

fn style(is_bad: bool) -> anstyle::Style {
    if is_bad { BAD } else { STRONG }
}

/// Breaks text into lines of at most `room` characters, at spaces where there are any.
fn fold(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if !line.is_empty() && line.chars().count() + 1 + word.len() > room {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > room {
            lines.push(word.drain(..room).collect());
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}
