//! `baton members`, and the part of `/metrics` that is about them.

use super::answer::{Answer, Reader};
use super::routes::Desk;
use crate::observe::exposition::Page;
use crate::observe::json::Json;
use crate::observe::metrics as names;
use crate::observe::table::Table;
use crate::shell::members::Seen;
use crate::shell::view::View;
use cluster::{Dropped, MemberStatus, Presence};
use std::sync::Arc;

const COLUMNS: &[&str] = &[
    "name",
    "address",
    "state",
    "age_seconds",
    "configuration",
    "wish",
    "calls",
];
const PRESENCES: [Presence; 4] = [
    Presence::Unknown,
    Presence::Fresh,
    Presence::Suspect,
    Presence::Expired,
];

impl Desk {
    /// The other members; none where there is no cluster.
    pub(super) fn members(&self, reader: Reader) -> Answer {
        let mut table = Table::new(COLUMNS);
        let seen = seen(&self.view);
        seen.members
            .iter()
            .for_each(|member| table.row(row(member)));
        Answer::of(
            reader,
            || table.text(),
            || Json::Object(vec![("members", table.json())]),
        )
    }
}

/// Writes the figures.
pub(super) fn write(page: &mut Page, view: &View) {
    let seen = seen(view);
    let mut family = page.family(&names::MEMBER_STATE);
    for member in &seen.members {
        for presence in PRESENCES {
            let is = u8::from(member.presence == presence);
            family.sample(&[&member.name, presence.as_str()], is);
        }
    }
    let mut family = page.family(&names::MEMBER_AGE);
    for member in &seen.members {
        if let Some(age) = member.age {
            family.sample(&[&member.name], age.as_secs_f64());
        }
    }
    let mut family = page.family(&names::MEMBER_CONFLICT);
    for member in &seen.members {
        family.sample(&[&member.name], u8::from(member.differs));
    }
    let counters = seen.counters;
    let mut family = page.family(&names::MEMBER_UPDATES);
    family.sample(&["told"], counters.told);
    family.sample(&["applied"], counters.applied);
    for why in Dropped::ALL {
        family.sample(&[why.as_str()], counters.dropped(why));
    }
    family.sample(&["left_out"], counters.left_out);
    family.sample(&["no_update"], seen.others);
}

/// What is seen of the members: nothing where there is no cluster.
fn seen(view: &View) -> Arc<Seen> {
    let watched = view.members.as_ref();
    watched.map_or_else(Arc::default, |watched| watched.load_full())
}

fn row(member: &MemberStatus) -> Vec<Json> {
    let load = member.load;
    let wish = match (load.maintenance, load.draining) {
        (true, _) => "maintenance",
        (false, true) => "draining",
        (false, false) => "ready",
    };
    vec![
        Json::text(&member.name),
        Json::text(member.address.to_string()),
        Json::text(member.presence.as_str()),
        member
            .age
            .map_or(Json::Null, |age| Json::Number(age.as_secs_f64())),
        Json::text(if member.differs { "differs" } else { "agrees" }),
        Json::text(wish),
        load.calls.into(),
    ]
}
