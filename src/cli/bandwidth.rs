//! `baton bandwidth check FROM TO KBPS`: what a call between two nodes would get, and why.
//!
//! By the configuration alone, with nothing in use.

use super::operate::Output;
use super::{FAILURE, NO_SUCH};
use crate::config::Config;
use crate::observe::json::Json;
use balancer::bandwidth::{Ask, Bandwidth, Check, Limit, NodeId, Refused, View};
use std::io::{self, Write};

/// What is asked.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) kbps: Option<u32>,
    pub(super) is_relayed: bool,
}

/// Tells; the exit code says whether there would be bandwidth.
pub(super) fn check(
    question: &Question<'_>,
    config: &Config,
    form: Output,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let Some(settings) = &config.bandwidth else {
        writeln!(
            err,
            "baton: there is no `[bandwidth]` in the configuration: nothing is limited"
        )?;
        return Ok(FAILURE);
    };
    let bandwidth = match Bandwidth::new(settings) {
        Ok(bandwidth) => bandwidth,
        Err(mistake) => {
            writeln!(err, "baton: `[bandwidth]`: {mistake}")?;
            return Ok(FAILURE);
        }
    };
    let view = bandwidth.view();
    let mut ends = Vec::new();
    for end in [question.from, question.to] {
        match node(&view, end) {
            Some(found) => ends.push(found),
            None => {
                writeln!(
                    err,
                    "baton: there is no subzone or zone `{end}`, and no rule for it"
                )?;
                return Ok(NO_SUCH);
            }
        }
    }
    let [(from, from_name), (to, to_name)] = ends.as_slice() else {
        return Ok(FAILURE);
    };
    let answer = Answer {
        from: from_name,
        to: to_name,
        want_kbps: question.kbps.unwrap_or(settings.default_call_kbps),
        check: view.check(&Ask {
            from: *from,
            to: *to,
            kbps: question.kbps,
            is_traversal: question.is_relayed,
        }),
    };
    match form {
        Output::Table => answer.tell(out)?,
        Output::Json => writeln!(out, "{}", answer.json())?,
    }
    Ok(if answer.check.verdict.is_ok() {
        0
    } else {
        FAILURE
    })
}

/// A node by its name; or the subzone of who has this address or alias.
fn node(view: &View, end: &str) -> Option<(NodeId, String)> {
    let known = view.node(end).or_else(|| {
        let address = end.parse().ok();
        let aliases = [end];
        let aliases: &[&str] = if address.is_some() { &[] } else { &aliases };
        view.subzone_by_rule(address, aliases)
    })?;
    Some((known, view.name(known).unwrap_or(end).to_owned()))
}

struct Answer<'a> {
    from: &'a str,
    to: &'a str,
    want_kbps: u32,
    check: Check,
}

impl Answer<'_> {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let check = &self.check;
        writeln!(
            out,
            "from {} to {}, {} kbit/s",
            self.from, self.to, self.want_kbps
        )?;
        if check.verdict == Err(Refused::NoLink) {
            return writeln!(out, "refused: no links lead there");
        }
        let links = if check.links.is_empty() {
            "none, both ends are in one place".to_owned()
        } else {
            check.links.join(", ")
        };
        writeln!(out, "links: {links}")?;
        writeln!(out, "one call may use:")?;
        for cap in &check.caps {
            writeln!(out, "  {:<40} {}", cap.what, limit(cap.limit))?;
        }
        writeln!(out, "it is charged to:")?;
        for charged in &check.charges {
            let kind = if charged.of.is_pipe {
                "pipe"
            } else {
                "subzone"
            };
            let what = format!("{kind} {}", charged.of.name);
            let left = match charged.of.available_kbps() {
                Some(kbps) => format!("{kbps} kbit/s left"),
                None => "unlimited".to_owned(),
            };
            let times = match charged.times {
                1 => String::new(),
                times => format!(", counts {times} times"),
            };
            writeln!(out, "  {what:<40} {left}{times}")?;
        }
        if let Some(tightest) = check.tightest() {
            writeln!(out, "tightest: {}", tightest.of.name)?;
        }
        match check.verdict {
            Ok(kbps) if kbps == self.want_kbps => writeln!(out, "admitted: {kbps} kbit/s"),
            Ok(kbps) => {
                let want = self.want_kbps;
                writeln!(out, "admitted: {kbps} kbit/s, cut down from {want}")
            }
            Err(refused) => writeln!(out, "refused: {refused}"),
        }
    }

    fn json(&self) -> Json {
        let check = &self.check;
        let number = |number: Option<u64>| number.map_or(Json::Null, Json::from);
        let cap = |limit: Limit| match limit {
            Limit::NoBandwidth => Json::from(0_u64),
            Limit::Limited(kbps) => Json::from(u64::from(kbps)),
            Limit::Unlimited => Json::Null,
        };
        let caps = check.caps.iter().map(|found| {
            Json::Object(vec![
                ("of", Json::text(&found.what)),
                ("kbps_max", cap(found.limit)),
            ])
        });
        let charges = check.charges.iter().map(|charged| {
            Json::Object(vec![
                ("name", Json::text(&charged.of.name)),
                (
                    "kind",
                    Json::text(if charged.of.is_pipe {
                        "pipe"
                    } else {
                        "subzone"
                    }),
                ),
                ("times", Json::from(u64::from(charged.times))),
                ("kbps_left", number(charged.of.available_kbps())),
            ])
        });
        let links = check.links.iter().map(Json::text);
        let tightest = check
            .tightest()
            .map(|tightest| Json::text(&tightest.of.name));
        let (kbps, reason) = match check.verdict {
            Ok(kbps) => (Some(u64::from(kbps)), Json::Null),
            Err(refused) => (None, Json::text(refused.to_string())),
        };
        Json::Object(vec![
            ("from", Json::text(self.from)),
            ("to", Json::text(self.to)),
            ("kbps_wanted", Json::from(u64::from(self.want_kbps))),
            ("kbps", number(kbps)),
            ("reason", reason),
            ("links", Json::List(links.collect())),
            ("caps", Json::List(caps.collect())),
            ("charges", Json::List(charges.collect())),
            ("tightest", tightest.unwrap_or(Json::Null)),
        ])
    }
}

fn limit(limit: Limit) -> String {
    match limit {
        Limit::NoBandwidth => "nothing".to_owned(),
        Limit::Limited(kbps) => format!("{kbps} kbit/s"),
        Limit::Unlimited => "unlimited".to_owned(),
    }
}
