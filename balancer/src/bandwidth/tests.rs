//! Admission as BANDWIDTH.md gives it: its worked examples by their numbers, changes, reloads, churn.

mod examples;
mod reference;

use super::*;
use std::net::IpAddr;

/// Settings that are put together name by name.
#[derive(Clone, Default)]
pub(super) struct Plan(pub(super) BandwidthSettings);

impl Plan {
    pub(super) fn subzone(mut self, name: &str, set: impl FnOnce(&mut SubzoneSettings)) -> Self {
        let mut subzone = SubzoneSettings {
            name: name.to_owned(),
            ..SubzoneSettings::default()
        };
        set(&mut subzone);
        self.0.subzones.push(subzone);
        self
    }

    pub(super) fn plain(self, names: &[&str]) -> Self {
        names
            .iter()
            .fold(self, |plan, name| plan.subzone(name, |_| {}))
    }

    pub(super) fn traversal(self, handled: Limit) -> Self {
        self.subzone("Traversal", |subzone| {
            subzone.kind = SubzoneKind::Traversal;
            subzone.handled = handled;
        })
    }

    pub(super) fn zone(mut self, name: &str) -> Self {
        self.0.zones.push(name.to_owned());
        self
    }

    pub(super) fn pipe(mut self, name: &str, total: Limit, per_call: Limit) -> Self {
        let name = name.to_owned();
        self.0.pipes.push(PipeSettings {
            name,
            total,
            per_call,
        });
        self
    }

    pub(super) fn link(mut self, one: &str, other: &str, pipes: &[&str]) -> Self {
        let number = self.0.links.len();
        self.0.links.push(LinkSettings {
            name: format!("{number}"),
            nodes: [one.to_owned(), other.to_owned()],
            pipes: pipes.iter().map(|pipe| (*pipe).to_owned()).collect(),
        });
        self
    }

    pub(super) fn build(&self) -> Site {
        Site {
            bandwidth: Bandwidth::new(&self.0).expect("right"),
        }
    }
}

/// A network that is asked by names.
pub(super) struct Site {
    pub(super) bandwidth: Bandwidth,
}

impl Site {
    pub(super) fn ask(&self, from: &str, to: &str, kbps: Option<u32>, is_traversal: bool) -> Ask {
        let view = self.bandwidth.view();
        let node = |name| view.node(name).expect("a node");
        Ask {
            from: node(from),
            to: node(to),
            kbps,
            is_traversal,
        }
    }

    /// A call without relayed media.
    pub(super) fn call(&self, from: &str, to: &str, kbps: u32) -> Result<Grant, Refused> {
        self.admit(&self.ask(from, to, Some(kbps), false))
    }

    /// A call whose media is relayed.
    pub(super) fn relay(&self, from: &str, to: &str, kbps: u32) -> Result<Grant, Refused> {
        self.admit(&self.ask(from, to, Some(kbps), true))
    }

    /// A check says beforehand what an admission does.
    pub(super) fn admit(&self, ask: &Ask) -> Result<Grant, Refused> {
        let view = self.bandwidth.view();
        let check = view.check(ask);
        let admitted = view.admit(ask);
        assert_eq!(
            admitted.as_ref().map(Grant::kbps),
            check.verdict.as_ref().copied()
        );
        admitted
    }

    pub(super) fn own(&self, name: &str) -> u64 {
        let view = self.bandwidth.view();
        view.uses()
            .find(|known| known.name == name)
            .expect("a resource")
            .own_kbps
    }

    pub(super) fn is_idle(&self) -> bool {
        self.bandwidth
            .view()
            .uses()
            .all(|known| known.own_kbps == 0)
    }
}

#[test]
fn a_raise_that_does_not_fit_leaves_the_call_as_it_is() {
    let site = Plan::default()
        .subzone("S", |subzone| subzone.total = Limit::Limited(584))
        .build();
    let mut grant = site.call("S", "S", 384).unwrap();
    assert_eq!(
        grant.change(768),
        Err(Refused::Exceeded { allowed_kbps: 584 })
    );
    assert_eq!((grant.kbps(), site.own("S")), (384, 384));
    // Who asks again for what was refused is refused again, and for what it has has it.
    assert!(grant.change(768).is_err());
    assert_eq!(grant.change(384), Ok(384));
    assert_eq!(grant.change(584), Ok(584));
    drop(grant);
    assert!(site.is_idle());
}

#[test]
fn lowering_frees_at_once() {
    let site = Plan::default()
        .subzone("S", |subzone| subzone.total = Limit::Limited(1000))
        .build();
    let mut grant = site.call("S", "S", 768).unwrap();
    assert_eq!(grant.change(384), Ok(384));
    assert_eq!(site.own("S"), 384);
    let other = site.call("S", "S", 616).unwrap();
    assert_eq!((other.kbps(), grant.change(385).is_err()), (616, true));
}

/// Others may have taken what the total has beyond this call.
#[test]
fn a_change_that_needs_nothing_more_is_no_matter_of_totals() {
    let site = Plan::default()
        .subzone("S", |subzone| {
            subzone.total = Limit::Limited(1000);
            subzone.intra = Limit::Limited(384);
        })
        .build();
    let mut grant = site.call("S", "S", 384).unwrap();
    site.bandwidth.view().set_remote("S", false, 900);
    assert_eq!(grant.change(512), Ok(384));
    assert_eq!(site.own("S"), 384);
}

/// A refresh repeats what the call asked for in the beginning, not what it got.
#[test]
fn asking_again_for_the_same_is_no_change() {
    let site = Plan::default()
        .subzone("S", |subzone| {
            subzone.total = Limit::Limited(1000);
            subzone.intra = Limit::Limited(600);
        })
        .build();
    let mut capped = site.call("S", "S", 768).unwrap();
    assert_eq!((capped.kbps(), capped.change(768)), (600, Ok(600)));
    let mut left = site.call("S", "S", 500).unwrap();
    assert_eq!((left.kbps(), left.change(500)), (400, Ok(400)));
    // The limit of one call bounds a raise, too.
    assert_eq!(capped.change(2000), Ok(600));
    assert_eq!(
        left.change(401),
        Err(Refused::Exceeded { allowed_kbps: 400 })
    );
}

#[test]
fn a_raise_above_the_limit_of_one_call_without_downspeeding_is_refused() {
    let mut plan = Plan::default().subzone("S", |subzone| subzone.intra = Limit::Limited(600));
    plan.0.downspeed_per_call = false;
    let site = plan.build();
    let mut grant = site.call("S", "S", 500).unwrap();
    assert_eq!(
        grant.change(601),
        Err(Refused::Exceeded { allowed_kbps: 600 })
    );
    assert_eq!((grant.kbps(), grant.change(600)), (500, Ok(600)));
}

#[test]
fn a_reload_keeps_calls_and_refuses_new_ones() {
    let plan = |kbps| {
        Plan::default()
            .subzone("S", |subzone| subzone.total = Limit::Limited(kbps))
            .plain(&["T"])
            .link("S", "T", &[])
    };
    let site = plan(1000).build();
    let ask = site.ask("S", "T", Some(800), false);
    let view = site.bandwidth.view();
    let mut grant = view.admit(&ask).unwrap();
    assert!(site.bandwidth.is_current(&view));
    site.bandwidth.reload(&plan(500).0).unwrap();
    assert!(!site.bandwidth.is_current(&view));
    assert_eq!((grant.kbps(), site.own("S")), (800, 800));
    assert!(site.call("S", "T", 64).is_err());
    // Also who was admitted before cannot go beyond the new limit.
    assert!(grant.change(801).is_err());
    assert_eq!(grant.change(400), Ok(400));
    assert_eq!(site.call("S", "T", 100).unwrap().kbps(), 100);
    // A number of the network before says nothing in the new one.
    assert_eq!(
        site.bandwidth.view().admit(&ask).unwrap_err(),
        Refused::NoLink
    );
    assert_eq!(
        site.bandwidth.view().check(&ask).verdict,
        Err(Refused::NoLink)
    );
    drop(grant);
    assert!(site.is_idle());
}

#[test]
fn what_vanished_is_given_back_unseen() {
    let with_pipe = Plan::default()
        .plain(&["S", "T"])
        .pipe("P", Limit::Limited(1000), Limit::Unlimited)
        .link("S", "T", &["P"]);
    let without = Plan::default().plain(&["T", "S"]).link("S", "T", &[]);
    let site = with_pipe.build();
    let grant = site.call("S", "T", 384).unwrap();
    site.bandwidth.reload(&without.0).unwrap();
    // By name, wherever it stands now.
    assert_eq!((site.own("S"), site.own("T")), (384, 384));
    drop(grant);
    assert!(site.is_idle());
    // A pipe that comes back begins with nothing.
    site.bandwidth.reload(&with_pipe.0).unwrap();
    assert_eq!(site.own("P"), 0);
    // A subzone of a pipe's name is another thing.
    let mistaken = Plan::default().plain(&["P"]).build();
    assert!(mistaken.bandwidth.view().set_remote("P", false, 1));
    assert!(!mistaken.bandwidth.view().set_remote("P", true, 1));
}

#[test]
fn churn_of_many_threads_leaves_nothing() {
    let site = Plan::default()
        .subzone("S", |subzone| subzone.total = Limit::Limited(5000))
        .plain(&["T"])
        .traversal(Limit::Unlimited)
        .pipe("P", Limit::Limited(4000), Limit::Unlimited)
        .link("S", "T", &["P"])
        .link("S", "Traversal", &["P"])
        .link("T", "Traversal", &[])
        .build();
    let asks = [
        site.ask("S", "T", Some(700), false),
        site.ask("S", "S", Some(500), true),
        site.ask("T", "S", Some(900), true),
    ];
    std::thread::scope(|scope| {
        for start in 0..4_usize {
            let site = &site;
            scope.spawn(move || {
                let view = site.bandwidth.view();
                let mut held = Vec::new();
                for round in 0..2_000 {
                    let ask = &asks[(start + round) % 3];
                    held.extend(view.admit(ask));
                    assert!(site.own("S") <= 5000 && site.own("P") <= 4000);
                    let last = held.last_mut();
                    let _ = last.map(|grant| grant.change(if round % 2 == 0 { 100 } else { 1200 }));
                    if held.len() > 2 {
                        drop(held.swap_remove(round % 3));
                    }
                }
            });
        }
    });
    assert!(site.is_idle());
}

#[test]
fn endpoints_are_in_subzones_by_rules() {
    let rule = |priority, matches, subzone: &str| RuleSettings {
        priority,
        matches,
        subzone: subzone.to_owned(),
        is_enabled: true,
    };
    let subnet = |text: &str, bits| RuleMatch::Subnet(text.parse().unwrap(), bits);
    let mut plan = Plan::default()
        .subzone("Default", |subzone| subzone.kind = SubzoneKind::Default)
        .plain(&["A", "B", "C", "D", "E"]);
    plan.0.rules = vec![
        rule(10, subnet("10.0.0.0", 8), "A"),
        rule(10, subnet("10.1.0.0", 16), "B"),
        rule(10, RuleMatch::Regex(r"room\d+".into()), "C"),
        rule(10, RuleMatch::Suffix("@Example.com".into()), "D"),
        rule(5, RuleMatch::Exact("Boss".into()), "E"),
        rule(20, RuleMatch::Prefix("vip.".into()), "E"),
        rule(10, subnet("2001:db8::", 32), "C"),
        RuleSettings {
            is_enabled: false,
            ..rule(1, subnet("0.0.0.0", 0), "E")
        },
    ];
    let site = plan.build();
    let view = site.bandwidth.view();
    let subzone = |address: &str, aliases: &[&str]| {
        let address: Option<IpAddr> = address.parse().ok();
        let found = view.subzone_of(address, aliases);
        let names = ["Default", "A", "B", "C", "D", "E"];
        names
            .into_iter()
            .find(|name| view.node(name) == found)
            .unwrap()
    };
    assert_eq!(subzone("192.0.2.1", &[]), "Default");
    assert_eq!(subzone("10.2.0.1", &[]), "A");
    // The longest prefix of one priority, also in the clothes of IPv6.
    assert_eq!(subzone("10.1.0.1", &[]), "B");
    assert_eq!(subzone("::ffff:10.1.0.1", &[]), "B");
    assert_eq!(subzone("2001:db8::1", &[]), "C");
    // An address goes before an alias of the same priority, a lower number before both.
    assert_eq!(subzone("10.1.0.1", &["room12"]), "B");
    assert_eq!(subzone("10.1.0.1", &["x", "BOSS"]), "E");
    // Aliases in the order of the configuration, whole, letter case aside.
    assert_eq!(subzone("", &["Room12"]), "C");
    assert_eq!(subzone("", &["room12@example.com"]), "D");
    assert_eq!(subzone("", &["room12x"]), "Default");
    assert_eq!(subzone("10.9.9.9", &["vip.a"]), "A");
    assert_eq!(subzone("", &["VIP.a", "vi"]), "E");
}

#[test]
fn what_is_there_without_being_configured() {
    let mut plan = Plan::default()
        .plain(&["Home"])
        .subzone("Elsewhere", |subzone| subzone.kind = SubzoneKind::Default)
        .zone("Trunk")
        .pipe("P", Limit::Limited(1000), Limit::Unlimited)
        .link("Home", "Elsewhere", &["P"]);
    plan.0.add_premade_nodes();
    plan.0.add_premade_links();
    let pairs: Vec<[&str; 2]> = plan
        .0
        .links
        .iter()
        .map(|link| {
            let [one, other] = &link.nodes;
            [one.as_str(), other.as_str()]
        })
        .collect();
    let expected = [
        ["Home", "Elsewhere"],
        ["Elsewhere", TRAVERSAL_SUBZONE],
        ["Elsewhere", "Trunk"],
        [TRAVERSAL_SUBZONE, "Trunk"],
        ["Elsewhere", DEFAULT_ZONE],
        [TRAVERSAL_SUBZONE, DEFAULT_ZONE],
        [TRAVERSAL_SUBZONE, "Home"],
    ];
    assert_eq!(pairs, expected);
    let before = plan.0.clone();
    plan.0.add_premade_nodes();
    plan.0.add_premade_links();
    assert_eq!(plan.0, before, "a second time adds nothing");
    let site = plan.build();
    // Two links over either subzone: the one with the pipe came first.
    let grant = site.call("Home", "Trunk", 384).unwrap();
    assert_eq!(grant.charges().count(), 3);
    assert_eq!((site.own("Elsewhere"), site.own("P")), (384, 384));
    assert_eq!(site.relay("Trunk", DEFAULT_ZONE, 384).unwrap().kbps(), 384);
}

#[test]
fn mistakes_are_told() {
    let mistake = |plan: Plan| Bandwidth::new(&plan.0).unwrap_err().to_string();
    let base = || Plan::default().plain(&["S", "T"]);
    assert!(mistake(base().plain(&["S"])).contains("two called `S`"));
    assert!(mistake(base().zone("T")).contains("two called `T`"));
    assert!(mistake(base().link("S", "X", &[])).contains("node `X`"));
    assert!(mistake(base().link("S", "S", &[])).contains("both ends"));
    assert!(mistake(base().link("S", "T", &["P"])).contains("pipe `P`"));
    let kind = |subzone: &mut SubzoneSettings| subzone.kind = SubzoneKind::Default;
    let twice = base().subzone("D", kind).subzone("E", kind);
    assert!(mistake(twice).contains("`E` is a second"));
    let crowd: Vec<String> = (0..=SUBZONES_MAX)
        .map(|number| number.to_string())
        .collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    assert!(mistake(Plan::default().plain(&crowd)).contains("more than 1000 subzones"));
    let mut ruled = base().zone("Z");
    ruled.0.rules = vec![RuleSettings {
        priority: 1,
        matches: RuleMatch::Exact("a".into()),
        subzone: "Z".into(),
        is_enabled: true,
    }];
    assert!(mistake(ruled.clone()).contains("subzone `Z`"));
    ruled.0.rules[0].subzone = "S".into();
    ruled.0.rules[0].matches = RuleMatch::Regex("(".into());
    assert!(mistake(ruled).contains("for the subzone `S`"));
}

#[test]
fn a_check_names_what_is_tightest() {
    let site = Plan::default()
        .subzone("S", |subzone| {
            subzone.total = Limit::Limited(2000);
            subzone.inter = Limit::Limited(1500);
        })
        .plain(&["T"])
        .traversal(Limit::Limited(1200))
        .pipe("P", Limit::Limited(2400), Limit::Limited(1300))
        .link("S", "Traversal", &["P"])
        .link("Traversal", "T", &[])
        .build();
    let view = site.bandwidth.view();
    assert!(view.set_remote("P", true, 400));
    let check = view.check(&site.ask("T", "S", Some(2000), true));
    assert_eq!(check.links, ["1", "0"]);
    let caps: Vec<&str> = check.caps.iter().map(|cap| cap.what.as_str()).collect();
    let expected = [
        "handled by Traversal",
        "inter of S",
        "inter of T",
        "per call of pipe P",
    ];
    let mut sorted = caps.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(check.verdict, Ok(1200));
    let tightest = check.tightest().unwrap();
    assert_eq!(
        (tightest.of.name.as_str(), tightest.of.available_kbps()),
        ("S", Some(2000))
    );
    let inside = view.check(&site.ask("S", "S", None, true));
    let tightest = inside.tightest().unwrap();
    assert_eq!((tightest.of.name.as_str(), tightest.times), ("S", 2));
    assert_eq!(inside.links, ["0", "0"]);
    assert!(site.is_idle());
}
