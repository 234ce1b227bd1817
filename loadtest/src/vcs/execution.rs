//! A script carried out for one call: what to do next, and what after that has failed.

use super::cpl::{Change, Fact, Location, Node, Proxy, Rule};

/// An alias in the location set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whom to call.
    pub alias: String,
    /// In thousandths; higher first.
    pub priority: u16,
}

/// What the script wants now.
#[derive(Debug)]
pub enum Step<'s> {
    /// Forward to these, and come back with how it ended.
    Proxy {
        /// The location set.
        places: Vec<Place>,
        /// What follows.
        proxy: &'s Proxy,
    },
    /// Refuse.
    Reject {
        /// A SIP status.
        status: u16,
        /// For people.
        reason: &'s str,
    },
    /// The script is over; the call goes on to the location set.
    Through(Vec<Place>),
}

/// How a forwarded call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It rang for too long.
    NoAnswer,
    /// A final status that is no 2xx; 486 and 600 are busy.
    Status(u16),
}

/// The facts that rules look at. This VCS authenticates nobody.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who calls.
    pub origin: &'a str,
    /// What was dialled.
    pub destination: &'a str,
    /// Where the call came from.
    pub zone: &'a str,
}

/// Begins a script: the location set is what was dialled.
pub fn begin<'s>(script: &'s Node, facts: Facts<'_>, random: &mut dyn FnMut() -> u16) -> Step<'s> {
    let original = Place {
        alias: facts.destination.to_owned(),
        priority: 1000,
    };
    walk(script, vec![original], facts, random)
}

/// Goes on after a proxy failed; `None` if the script has nothing for that.
pub fn after<'s>(
    proxy: &'s Proxy,
    places: Vec<Place>,
    failure: Failure,
    facts: Facts<'_>,
    random: &mut dyn FnMut() -> u16,
) -> Option<Step<'s>> {
    let (own, status) = match failure {
        Failure::NoAnswer => (&proxy.no_answer, 408),
        Failure::Status(status @ (486 | 600)) => (&proxy.busy, status),
        Failure::Status(status @ 300..=399) => (&proxy.redirection, status),
        Failure::Status(status) => (&None, status),
    };
    let by_status = |wanted: Option<u16>| {
        let mut failures = proxy.failure.iter();
        failures
            .find(|(known, _)| *known == wanted)
            .map(|(_, node)| node)
    };
    let then = own.as_ref();
    let then = then.or_else(|| by_status(Some(status)));
    let then = then.or_else(|| by_status(None));
    let then = then.or(proxy.default.as_ref())?;
    Some(walk(then, places, facts, random))
}

/// The places that are searched together, the first to be searched first.
#[must_use]
pub fn groups(mut places: Vec<Place>) -> Vec<Vec<String>> {
    places.sort_by_key(|place| std::cmp::Reverse(place.priority));
    let groups = places.chunk_by(|left, right| left.priority == right.priority);
    let aliases = |group: &[Place]| group.iter().map(|place| place.alias.clone()).collect();
    groups.map(aliases).collect()
}

fn walk<'s>(
    mut node: &'s Node,
    mut places: Vec<Place>,
    facts: Facts<'_>,
    random: &mut dyn FnMut() -> u16,
) -> Step<'s> {
    loop {
        node = match node {
            Node::Nothing => return Step::Through(places),
            Node::Location(location) => {
                relocate(location, &mut places, random);
                &location.then
            }
            Node::Proxy(proxy) => return Step::Proxy { places, proxy },
            Node::Reject { status, reason } => {
                return Step::Reject {
                    status: *status,
                    reason,
                };
            }
            Node::Rules(rules) => match rules.iter().find(|rule| fits(rule, facts)) {
                Some(rule) => &rule.then,
                None => return Step::Through(places),
            },
        };
    }
}

fn relocate(location: &Location, places: &mut Vec<Place>, random: &mut dyn FnMut() -> u16) {
    if location.clear {
        places.clear();
    }
    match &location.change {
        Change::Nothing => {}
        Change::Add { url, priority } => places.push(Place {
            alias: url.clone(),
            priority: priority.unwrap_or_else(|| random() % 1001),
        }),
        Change::Rewrite {
            pattern,
            replacement,
        } => {
            for place in places {
                if let Some(found) = pattern.captures(&place.alias) {
                    let alias = replaced(replacement, |group| {
                        found.get(group).map_or("", |text| text.as_str())
                    });
                    place.alias = alias;
                }
            }
        }
    }
}

/// A replacement with `\1` to `\9` filled in.
fn replaced<'f>(replacement: &str, group: impl Fn(usize) -> &'f str) -> String {
    let mut text = String::new();
    let mut letters = replacement.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next().map(|next| (next, next.to_digit(10))) {
            Some((_, Some(digit))) => text.push_str(group(usize::try_from(digit).unwrap_or(0))),
            Some((other, None)) => text.push(other),
            None => text.push('\\'),
        }
    }
    text
}

fn fits(rule: &Rule, facts: Facts<'_>) -> bool {
    rule.conditions.iter().all(|(fact, pattern)| {
        let text = match fact {
            // Nobody is authenticated or registered here.
            Fact::AuthenticatedOrigin | Fact::OriginatingUser | Fact::RegisteredOrigin => "",
            Fact::Destination => facts.destination,
            Fact::OriginatingZone => facts.zone,
            Fact::UnauthenticatedOrigin => facts.origin,
        };
        pattern.is_match(text)
    })
}

#[cfg(test)]
mod tests {
    use super::super::cpl::read_default;
    use super::*;

    const FACTS: Facts<'_> = Facts {
        origin: "bob@example.com",
        destination: "meet.sales@example.com",
        zone: "DefaultZone",
    };

    /// The first step in a short form, and what comes after each failure.
    fn run(text: &str, failures: &[Failure]) -> Vec<String> {
        let script = read_default(text).unwrap();
        let mut random = || 7;
        let mut step = Some(begin(&script, FACTS, &mut random));
        let mut told = Vec::new();
        let mut failures = failures.iter();
        while let Some(now) = step.take() {
            match now {
                Step::Reject { status, reason } => told.push(format!("{status} {reason}")),
                Step::Through(places) => told.push(format!("through {:?}", groups(places))),
                Step::Proxy { places, proxy } => {
                    let shown = groups(places.clone());
                    told.push(format!("{shown:?} {}", proxy.timeout.unwrap_or(0)));
                    if let Some(failure) = failures.next() {
                        step = after(proxy, places, *failure, FACTS, &mut random);
                    }
                }
            }
        }
        told
    }

    #[test]
    fn plain_answers() {
        assert_eq!(run("<proxy/>", &[]), ["[[\"meet.sales@example.com\"]] 0"]);
        assert_eq!(run("<reject status='404' reason='No'/>", &[]), ["404 No"]);
        assert_eq!(run("", &[]), ["through [[\"meet.sales@example.com\"]]"]);
        assert_eq!(
            run(
                "<taa:location clear='yes' url='6001'><proxy timeout='9'/></taa:location>",
                &[]
            ),
            ["[[\"6001\"]] 9"]
        );
    }

    #[test]
    fn a_location_that_does_not_clear_rings_what_was_dialled_too() {
        assert_eq!(
            run("<taa:location url='6001'><proxy/></taa:location>", &[]),
            ["[[\"meet.sales@example.com\", \"6001\"]] 0"]
        );
        assert_eq!(
            run(
                "<taa:location clear='yes' url='a' priority='0.2'><taa:location url='b' priority='0.5'><taa:location url='c' priority='0.2'><proxy/></taa:location></taa:location></taa:location>",
                &[]
            ),
            ["[[\"b\"], [\"a\", \"c\"]] 0"]
        );
    }

    #[test]
    fn what_failed_is_followed_by_its_branch() {
        let text = "<proxy><busy><reject status='486' reason='busy'/></busy>\
             <noanswer><reject status='480' reason='no answer'/></noanswer>\
             <redirection><reject status='404' reason='moved'/></redirection>\
             <failure status='403'><reject status='403' reason='forbidden'/></failure>\
             <failure><reject status='503' reason='failure'/></failure></proxy>";
        for (failure, wanted) in [
            (Failure::Status(486), "486 busy"),
            (Failure::Status(600), "486 busy"),
            (Failure::NoAnswer, "480 no answer"),
            (Failure::Status(302), "404 moved"),
            (Failure::Status(403), "403 forbidden"),
            (Failure::Status(500), "503 failure"),
        ] {
            assert_eq!(run(text, &[failure])[1], wanted);
        }
        assert_eq!(run("<proxy/>", &[Failure::Status(500)]).len(), 1);
        let then = "<proxy timeout='5'><failure><taa:location clear='yes' url='b'><proxy/></taa:location></failure></proxy>";
        for failure in [
            Failure::NoAnswer,
            Failure::Status(486),
            Failure::Status(503),
        ] {
            assert_eq!(run(then, &[failure])[1], "[[\"b\"]] 0");
        }
        let default = "<proxy><default><reject status='410' reason='gone'/></default></proxy>";
        assert_eq!(run(default, &[Failure::Status(503)])[1], "410 gone");
    }

    #[test]
    fn rules_and_rewriting() {
        let text = "<taa:rule-switch><taa:rule destination='sales.*'><proxy/></taa:rule>\
             <taa:rule authenticated-origin='' unauthenticated-origin='BOB@.*' destination='MEET\\..*'>\
             <taa:location regex='meet\\.(.*)@(.*)' replace='\\1.room@\\2'><proxy/></taa:location></taa:rule>\
             <taa:rule><reject status='403' reason='No'/></taa:rule></taa:rule-switch>";
        assert_eq!(run(text, &[]), ["[[\"sales.room@example.com\"]] 0"]);
        let nothing = "<taa:rule-switch><taa:rule originating-zone='Other'><proxy/></taa:rule></taa:rule-switch>";
        assert!(run(nothing, &[])[0].starts_with("through"));
    }
}
