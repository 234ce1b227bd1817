//! A script as a VCS accepts it, read from its XML (POLICY.md section 6). Written apart from the server's writer.
//!
//! Not executed, and refused with a word that says so: `address-switch`, and a location that changes the source. What a
//! VCS does not know (RFC 3880's other switches, `redirect`, `mail` ...) is refused as a VCS would.

use super::xml::{Element, Space, read};
use regex::{Regex, RegexBuilder};

/// What is to be done; scripts are trees.
#[derive(Debug)]
pub enum Node {
    /// An element without anything in it.
    Nothing,
    /// The location set changes, then something else.
    Location(Box<Location>),
    /// Forward to the location set.
    Proxy(Box<Proxy>),
    /// Refuse.
    Reject {
        /// A SIP status.
        status: u16,
        /// For people.
        reason: String,
    },
    /// The first rule that fits.
    Rules(Vec<Rule>),
}

/// `taa:location`.
#[derive(Debug)]
pub struct Location {
    /// Whether all locations go first.
    pub clear: bool,
    /// What is done to the set.
    pub change: Change,
    /// What then.
    pub then: Node,
}

/// What a location does to the set.
#[derive(Debug)]
pub enum Change {
    /// Nothing, beyond clearing it.
    Nothing,
    /// One more.
    Add {
        /// The alias.
        url: String,
        /// In thousandths: higher is searched first; `None` is random.
        priority: Option<u16>,
    },
    /// Those that match are rewritten.
    Rewrite {
        /// The whole alias, without regard to letter case.
        pattern: Regex,
        /// With `\1` for what stands in the first parentheses.
        replacement: String,
    },
}

/// `proxy` with what follows each way of failing.
#[derive(Debug, Default)]
pub struct Proxy {
    /// How many seconds it may ring.
    pub timeout: Option<u32>,
    /// Somebody is busy.
    pub busy: Option<Node>,
    /// It rang for too long.
    pub no_answer: Option<Node>,
    /// A 3xx.
    pub redirection: Option<Node>,
    /// By status; the one without is for all others.
    pub failure: Vec<(Option<u16>, Node)>,
    /// What has no other.
    pub default: Option<Node>,
}

/// One rule of a `taa:rule-switch`.
#[derive(Debug)]
pub struct Rule {
    /// Which fact, and what it must be: all of them.
    pub conditions: Vec<(Fact, Regex)>,
    /// What then.
    pub then: Node,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `authenticated-origin`, and `origin`, which is the same.
    AuthenticatedOrigin,
    /// `destination`.
    Destination,
    /// `originating-user`.
    OriginatingUser,
    /// `originating-zone`.
    OriginatingZone,
    /// `registered-origin`.
    RegisteredOrigin,
    /// `unauthenticated-origin`.
    UnauthenticatedOrigin,
}

/// The longest ring that may be asked for.
const TIMEOUT_MAX: u32 = 86_400;
const SIZE_MAX: usize = 65_536;

/// Reads a whole answer.
///
/// # Errors
/// Why a VCS would not accept it, or what this program does not execute.
pub fn read_document(bytes: &[u8]) -> Result<Node, String> {
    if bytes.len() > SIZE_MAX {
        return Err(format!("{} octets of CPL", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the answer is not UTF-8")?;
    let root = read(text)?;
    if root.space != Space::Cpl || root.name != "cpl" {
        return Err(format!("<{}> is no <cpl>", root.name));
    }
    let [routed] = root.children.as_slice() else {
        return Err(format!(
            "<cpl> holds {} elements and not one",
            root.children.len()
        ));
    };
    if routed.space != Space::Taa || routed.name != "routed" {
        return Err(format!("<{}> stands where <taa:routed> does", routed.name));
    }
    Attributes::of(routed).end()?;
    only_child(routed)
}

/// Reads a bare node, as it stands in the field *Default CPL*.
///
/// # Errors
/// As of [`read_document`].
pub fn read_default(text: &str) -> Result<Node, String> {
    read_document(
        format!(
            "<cpl xmlns=\"urn:ietf:params:xml:ns:cpl\" xmlns:taa=\"http://www.tandberg.net/cpl-extensions\">\
             <taa:routed>{text}</taa:routed></cpl>"
        )
        .as_bytes(),
    )
}

fn only_child(element: &Element) -> Result<Node, String> {
    match element.children.as_slice() {
        [] => Ok(Node::Nothing),
        [child] => node(child),
        several => Err(format!(
            "<{}> holds {} nodes and not one",
            element.name,
            several.len()
        )),
    }
}

fn node(element: &Element) -> Result<Node, String> {
    match (element.space, element.name.as_str()) {
        (Space::Cpl, "proxy") => proxy(element),
        (Space::Cpl, "reject") => reject(element),
        (Space::Cpl | Space::Taa, "location") => location(element),
        (Space::Taa, "rule-switch") => rules(element),
        (Space::Cpl, "address-switch") => {
            Err("<address-switch> is not executed by this program".into())
        }
        (Space::Cpl | Space::Taa, other) => Err(format!("a VCS knows no <{other}>")),
    }
}

fn proxy(element: &Element) -> Result<Node, String> {
    let mut attributes = Attributes::of(element);
    let mut proxy = Proxy::default();
    if let Some(timeout) = attributes.take("timeout") {
        let seconds = timeout.parse().ok();
        let seconds = seconds.filter(|seconds| (1..=TIMEOUT_MAX).contains(seconds));
        proxy.timeout = Some(seconds.ok_or_else(|| format!("a timeout of {timeout:?}"))?);
    }
    // Of several that ring, one that is busy: this program lets the others ring, as the default says.
    if yes_or_no(attributes.take("stop-on-busy"))? {
        return Err("stop-on-busy is not executed by this program".into());
    }
    attributes.end()?;
    for child in &element.children {
        let mut attributes = Attributes::of(child);
        let then = only_child(child)?;
        let place = match (child.space, child.name.as_str()) {
            (Space::Cpl, "busy") => &mut proxy.busy,
            (Space::Cpl, "noanswer") => &mut proxy.no_answer,
            (Space::Cpl, "redirection") => &mut proxy.redirection,
            (Space::Cpl, "default") => &mut proxy.default,
            (Space::Cpl, "failure") => {
                let status = attributes.take("status").map(status).transpose()?;
                attributes.end()?;
                if proxy.failure.iter().any(|(known, _)| *known == status) {
                    return Err("two <failure> for one status".into());
                }
                proxy.failure.push((status, then));
                continue;
            }
            (Space::Cpl | Space::Taa, other) => return Err(format!("<{other}> in <proxy>")),
        };
        attributes.end()?;
        if place.replace(then).is_some() {
            return Err(format!("<{}> stands twice in <proxy>", child.name));
        }
    }
    Ok(Node::Proxy(Box::new(proxy)))
}

fn reject(element: &Element) -> Result<Node, String> {
    let mut attributes = Attributes::of(element);
    let (Some(number), Some(reason)) = (attributes.take("status"), attributes.take("reason"))
    else {
        return Err("<reject> needs status and reason".into());
    };
    attributes.end()?;
    let status = status(number)?;
    if status < 400 {
        return Err(format!("{status} is no refusal"));
    }
    if reason.is_empty() || !reason.chars().all(|letter| (' '..='~').contains(&letter)) {
        return Err(format!("{reason:?} as a reason"));
    }
    if !element.children.is_empty() {
        return Err("something follows a <reject>".into());
    }
    Ok(Node::Reject {
        status,
        reason: reason.to_owned(),
    })
}

fn location(element: &Element) -> Result<Node, String> {
    let mut attributes = Attributes::of(element);
    let clear = yes_or_no(attributes.take("clear"))?;
    let priority = match attributes.take("priority") {
        None => Some(1000),
        Some("random") => None,
        Some(text) => Some(thousandths(text)?),
    };
    let url = attributes.take("url");
    let pattern = attributes.take("regex");
    let change = match (url, pattern, attributes.take("replace")) {
        (None, None, None) => Change::Nothing,
        (Some(url), None, None) if is_alias(url) => Change::Add {
            url: url.to_owned(),
            priority,
        },
        (Some(url), None, None) => return Err(format!("{url:?} is no alias")),
        (None, Some(pattern), Some(replacement)) => Change::Rewrite {
            pattern: whole(pattern)?,
            replacement: replacement.to_owned(),
        },
        _ => return Err("a location needs url alone, or regex and replace".into()),
    };
    for (name, _) in &attributes.0 {
        if name.starts_with("source-url-for-message") {
            return Err(format!("{name} is not executed by this program"));
        }
    }
    attributes.end()?;
    Ok(Node::Location(Box::new(Location {
        clear,
        change,
        then: only_child(element)?,
    })))
}

fn rules(element: &Element) -> Result<Node, String> {
    Attributes::of(element).end()?;
    let rules = element.children.iter().map(|child| {
        if child.space != Space::Taa || child.name != "rule" {
            return Err(format!("<{}> in <taa:rule-switch>", child.name));
        }
        let conditions = child.attributes.iter().map(|(name, pattern)| {
            let fact = match name.as_str() {
                "origin" | "authenticated-origin" => Fact::AuthenticatedOrigin,
                "destination" => Fact::Destination,
                "originating-user" => Fact::OriginatingUser,
                "originating-zone" => Fact::OriginatingZone,
                "registered-origin" => Fact::RegisteredOrigin,
                "unauthenticated-origin" => Fact::UnauthenticatedOrigin,
                "message-regex" => {
                    return Err("message-regex is not executed by this program".to_owned());
                }
                other => return Err(format!("{other} in <taa:rule>")),
            };
            Ok((fact, whole(pattern)?))
        });
        Ok(Rule {
            conditions: conditions.collect::<Result<_, String>>()?,
            then: only_child(child)?,
        })
    });
    Ok(Node::Rules(rules.collect::<Result<_, String>>()?))
}

/// What is left of the attributes of an element.
struct Attributes<'e>(Vec<(&'e str, &'e str)>);

impl<'e> Attributes<'e> {
    fn of(element: &'e Element) -> Self {
        let all = element.attributes.iter();
        Self(
            all.map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        )
    }

    fn take(&mut self, name: &str) -> Option<&'e str> {
        let place = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// Nothing is left that a VCS would stumble over.
    fn end(&self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("a VCS knows no {name} there")),
        }
    }
}

fn yes_or_no(text: Option<&str>) -> Result<bool, String> {
    match text {
        None | Some("no") => Ok(false),
        Some("yes") => Ok(true),
        Some(other) => Err(format!("{other:?} is neither yes nor no")),
    }
}

fn status(text: &str) -> Result<u16, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| text.len() == 3 && (300..700).contains(number));
    number.ok_or_else(|| format!("{text:?} is no status"))
}

fn thousandths(text: &str) -> Result<u16, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = format!("{part:0<3}");
    let value = match (whole, digits.get(..3).map(str::parse::<u16>)) {
        ("0", Some(Ok(part))) => Some(part),
        ("1", Some(Ok(0))) => Some(1000),
        _ => None,
    };
    value.ok_or_else(|| format!("{text:?} is no priority"))
}

/// What can be dialled: a VCS gets it by HTTP, so that it must not break what it writes next.
fn is_alias(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && !b"<>\"".contains(&octet))
}

/// A pattern for the whole text, without regard to letter case.
fn whole(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .case_insensitive(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|_| format!("{pattern:?} cannot be run by this program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read_default(text).unwrap_err()
    }

    #[test]
    fn only_a_whole_document_is_an_answer() {
        let head = r#"<cpl xmlns="urn:ietf:params:xml:ns:cpl" xmlns:taa="http://www.tandberg.net/cpl-extensions">"#;
        let read = |body: &str| read_document(format!("{head}{body}</cpl>").as_bytes());
        assert!(matches!(read("<taa:routed/>"), Ok(Node::Nothing)));
        for body in [
            "",
            "<taa:routed/><taa:routed/>",
            "<routed/>",
            "<incoming><proxy/></incoming>",
            "<taa:routed><proxy/><proxy/></taa:routed>",
            "<taa:routed a='1'/>",
        ] {
            assert!(read(body).is_err(), "{body}");
        }
        assert!(read_document(b"<proxy/>").is_err());
        assert!(read_document(b"").is_err());
        assert!(read_document(b"\xff").is_err());
    }

    #[test]
    fn the_examples_of_the_guides_are_read() {
        for text in [
            "<proxy/>",
            "<proxy timeout=\"30\"/>",
            "<reject status=\"403\" reason=\"Alias not in allowed list\"/>",
            "<taa:location clear=\"yes\" url=\"e1@example.com\"><taa:location url=\"e2@example.com\"><proxy/></taa:location></taa:location>",
            "<location clear=\"yes\" url=\"alice@example.com\"><proxy timeout=\"10\"><failure><taa:location clear=\"yes\" url=\"bob@example.com\"><proxy/></taa:location></failure></proxy></location>",
            "<proxy><failure status=\"403\"><proxy/></failure><failure status=\"404\"><proxy/></failure><failure><proxy/></failure><busy><proxy/></busy><noanswer/><redirection/><default/></proxy>",
            "<taa:rule-switch><taa:rule authenticated-origin=\"\" destination=\"9(.*)\"><reject status=\"403\" reason=\"No\"/></taa:rule><taa:rule><proxy/></taa:rule></taa:rule-switch>",
            "<taa:location regex=\"(.*)@example.com\" replace=\"\\1@example.net\" priority=\"0.5\"><proxy/></taa:location>",
        ] {
            read_default(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn what_a_vcs_does_not_know_is_refused() {
        for (text, why) in [
            ("<proxy timeout='0'/>", "timeout"),
            ("<proxy timeout='86401'/>", "timeout"),
            ("<proxy recurse='no'/>", "recurse"),
            ("<proxy><failure/><failure/></proxy>", "two <failure>"),
            ("<proxy><busy/><busy/></proxy>", "twice"),
            ("<proxy><answer/></proxy>", "<answer>"),
            ("<reject status='busy' reason='a'/>", "no status"),
            ("<reject status='302' reason='a'/>", "no refusal"),
            ("<reject status='403'/>", "needs"),
            ("<reject status='403' reason='&#x160;'/>", "as a reason"),
            (
                "<taa:location url='a b'><proxy/></taa:location>",
                "no alias",
            ),
            ("<taa:location url=''><proxy/></taa:location>", "no alias"),
            ("<taa:location clear='true' url='a'/>", "neither"),
            ("<taa:location url='a' priority='1.5'/>", "no priority"),
            (
                "<taa:location url='a'><proxy/><proxy/></taa:location>",
                "not one",
            ),
            ("<taa:location regex='a'/>", "regex and replace"),
            (
                "<taa:location url='a' source-url-for-message='b'/>",
                "not executed",
            ),
            ("<taa:rule-switch><proxy/></taa:rule-switch>", "<proxy> in"),
            (
                "<taa:rule-switch><taa:rule destination='(?!a)'/></taa:rule-switch>",
                "cannot be run",
            ),
            ("<taa:proxy/>", "knows no <proxy>"),
            ("<redirect/>", "knows no <redirect>"),
            ("<time-switch/>", "knows no"),
            ("<address-switch field='destination'/>", "not executed"),
        ] {
            let error = refused(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn priorities_are_thousandths() {
        for (text, value) in [
            ("0", 0),
            ("0.0", 0),
            ("0.25", 250),
            ("1", 1000),
            ("1.0", 1000),
        ] {
            assert_eq!(thousandths(text), Ok(value), "{text}");
        }
        for text in ["", "2", "1.1", "-0.5", "0.x", "a"] {
            assert!(thousandths(text).is_err(), "{text}");
        }
    }
}
