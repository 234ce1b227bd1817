//! A name service for tests: records as zone files write them.

use super::{Answer, Data, Failure, Kind, Name, Naptr, Question, Record, Srv};
use std::time::Duration;

/// Lines `NAME [TTL] KIND DATA`; `fail NAME KIND` and `timeout NAME KIND` for what is not answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Zone {
    records: Vec<(Name, Record)>,
    failures: Vec<(Question, Failure)>,
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap_or_else(|| panic!("{text} is no name"))
}

pub(super) fn question(text: &str) -> Question {
    let (kind, of) = text.split_once(' ').expect("a kind and a name");
    let kinds = [Kind::A, Kind::Aaaa, Kind::Naptr, Kind::Srv];
    let kind = kinds
        .into_iter()
        .find(|known| known.as_str() == kind)
        .expect("a kind");
    Question {
        name: name(of),
        kind,
    }
}

impl Zone {
    pub(super) fn new(text: &str) -> Self {
        let mut zone = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            zone.line(&line.split_whitespace().collect::<Vec<_>>());
        }
        zone
    }

    /// As a resolver answers: aliases come with what they lead to, one step at a time here.
    pub(super) fn answer(&self, question: &Question) -> Answer {
        if let Some((_, failure)) = self
            .failures
            .iter()
            .find(|(failing, _)| failing == question)
        {
            return Answer::Failed(*failure);
        }
        let of_name = || {
            self.records
                .iter()
                .filter(|(name, _)| *name == question.name)
        };
        let fits = |record: &Record| {
            question.kind.is_of(&record.data) || matches!(record.data, Data::Alias(_))
        };
        let records: Vec<Record> = of_name()
            .map(|(_, record)| record)
            .filter(|r| fits(r))
            .cloned()
            .collect();
        if records.is_empty() {
            return Answer::Absent {
                exists: of_name().next().is_some(),
                ttl: None,
            };
        }
        Answer::Records(records)
    }

    fn line(&mut self, words: &[&str]) {
        let failure = match words[0] {
            "fail" => Some(Failure::Refused),
            "timeout" => Some(Failure::Timeout),
            _ => None,
        };
        if let Some(failure) = failure {
            let of = question(&format!("{} {}", words[2], words[1]));
            self.failures.push((of, failure));
            return;
        }
        let (ttl, rest) = match words[1].parse::<u64>() {
            Ok(ttl) => (ttl, &words[2..]),
            Err(_) => (300, &words[1..]),
        };
        let record = Record {
            ttl: Duration::from_secs(ttl),
            data: data(rest),
        };
        self.records.push((name(words[0]), record));
    }
}

fn data(words: &[&str]) -> Data {
    let number = |at: usize| words[at].parse::<u16>().expect("a number");
    match words[0] {
        "A" | "AAAA" => Data::Address(words[1].parse().expect("an address")),
        "CNAME" => Data::Alias(name(words[1])),
        "SRV" => Data::Srv(Srv {
            priority: number(1),
            weight: number(2),
            port: number(3),
            target: Name::new(words[4]),
        }),
        "NAPTR" => Data::Naptr(Naptr {
            order: number(1),
            preference: number(2),
            flags: words[3].trim_matches('"').to_owned(),
            services: words[4].to_owned(),
            has_regexp: words[5] == "regexp",
            replacement: Name::new(words[words.len() - 1]),
        }),
        other => panic!("no kind of record: {other}"),
    }
}
