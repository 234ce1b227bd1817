//! One Rust file of the project as the rules see it: its code without comments and texts, and
//! which of its lines are tests. A scanner, no parser: it knows just enough of Rust's tokens not to
//! be misled by them.

use std::path::Path;

/// One Rust file.
pub(crate) struct Source {
    /// From the project's root, with `/` between the parts.
    pub(crate) path: String,
    /// What the file holds.
    pub(crate) text: String,
}

impl Source {
    /// A sample for trying a rule.
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Whether the whole file is a test: `tests.rs`, or below a folder `tests`.
    pub(crate) fn is_test(&self) -> bool {
        let path = Path::new(&self.path);
        path.file_name().is_some_and(|name| name == "tests.rs")
            || path.iter().any(|part| part == "tests")
    }

    /// The text with comments blanked and the inside of literals turned into `_`; lines stay.
    pub(crate) fn code(&self) -> String {
        let characters: Vec<char> = self.text.chars().collect();
        let mut code = String::with_capacity(self.text.len());
        let mut at = 0;
        while let Some(rest) = characters.get(at..).filter(|rest| !rest.is_empty()) {
            let (length, blank) = token(rest, code.chars().next_back());
            let token: Vec<char> = rest.iter().take(length).copied().collect();
            for (index, character) in token.iter().enumerate() {
                let edge = index == 0 || index + 1 == length;
                code.push(match (blank, *character) {
                    (_, '\n') => '\n',
                    (Blank::Nothing, character) => character,
                    (Blank::Everything, _) => ' ',
                    (Blank::Inside, character) if edge => character,
                    (Blank::Inside, _) => '_',
                });
            }
            at += length;
        }
        code
    }

    /// The lines of [`Self::code`] that are no tests, with their numbers from 1.
    pub(crate) fn shipped_lines(&self) -> Vec<(usize, String)> {
        if self.is_test() {
            return Vec::new();
        }
        let code = self.code();
        let tests = test_items(&code);
        let is_test = |line: usize| tests.iter().any(|(from, to)| (*from..=*to).contains(&line));
        code.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.to_owned()))
            .filter(|(line, _)| !is_test(*line))
            .collect()
    }
}

#[derive(Clone, Copy)]
enum Blank {
    Everything,
    Inside,
    Nothing,
}

/// The length of the token that begins `rest`, and what of it hides no code.
fn token(rest: &[char], before: Option<char>) -> (usize, Blank) {
    let starts = |text: &str| {
        text.chars()
            .enumerate()
            .all(|(i, c)| rest.get(i) == Some(&c))
    };
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if starts("//") {
        let end = rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
        return (end, Blank::Everything);
    }
    if starts("/*") {
        return (block_comment(rest), Blank::Everything);
    }
    if starts("\"") {
        return (quoted(rest, '"'), Blank::Inside);
    }
    if starts("r")
        && !in_word
        && let Some(length) = raw_text(rest)
    {
        return (length, Blank::Inside);
    }
    // `'a'` and `'\n'` are characters, `'a` is a lifetime.
    if starts("'") && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
        return (quoted(rest, '\''), Blank::Inside);
    }
    (1, Blank::Nothing)
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            ['/', '*'] => (depth, at) = (depth + 1, at + 2),
            ['*', '/'] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in rest.iter().enumerate().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            character if *character == quote => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"` or `r#"…"#`, if that is what begins here.
fn raw_text(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().skip(1).take_while(|c| **c == '#').count();
    let opening = hashes + 2;
    if rest.get(opening - 1) != Some(&'"') {
        return None;
    }
    let body = rest.get(opening..)?;
    let closes = |from: usize| {
        body.get(from) == Some(&'"')
            && body
                .get(from + 1..from + 1 + hashes)
                .is_some_and(|end| end.iter().all(|c| *c == '#'))
    };
    let end = (0..body.len()).find(|from| closes(*from))?;
    Some(opening + end + 1 + hashes)
}

/// First and last line of each item under `#[cfg(test)]`, counted from 1.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut line = 1;
    let mut rest = code;
    while let Some((before, after)) = split_test_attribute(rest) {
        line += before.matches('\n').count();
        let from = line;
        let length = item_length(after);
        let (item, next) = after.split_at(length);
        line += item.matches('\n').count();
        items.push((from, line));
        rest = next;
    }
    items
}

/// What stands before and after the next `#[cfg(test)]`.
fn split_test_attribute(code: &str) -> Option<(&str, &str)> {
    code.split_once("#[cfg(test)]")
}

/// The bytes of an item: to its `;`, or to the brace that closes its first one.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (index, character) in code.char_indices() {
        match character {
            ';' if depth == 0 => return index + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_hold_no_code() {
        let code = |text| Source::sample("a.rs", text).code();
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */\n d */ e"), "a             \n      e");
        assert_eq!(code(r#"f("x\"y", 1)"#), r#"f("____", 1)"#);
        assert_eq!(
            code(r##"f(r#"x"y"#, 'a', '"', '\'')"##),
            r##"f(r______#, '_', '_', '__')"##
        );
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
        assert_eq!(code("\"open"), "\"___n");
    }

    #[test]
    fn tests_are_not_shipped() {
        let text = "one\n#[cfg(test)]\nmod tests {\n    {}\n}\ntwo\n#[cfg(test)]\nmod more;\nthree";
        let shipped = Source::sample("a.rs", text).shipped_lines();
        let numbers: Vec<usize> = shipped.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 6, 9]);
        assert_eq!(Source::sample("src/a/tests.rs", text).shipped_lines(), []);
        assert_eq!(
            Source::sample("signaling/tests/b.rs", text).shipped_lines(),
            []
        );
    }
}
