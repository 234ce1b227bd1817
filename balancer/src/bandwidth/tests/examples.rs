//! The worked examples of BANDWIDTH.md section 4, by their numbers.

use super::*;

const EXCEEDED: fn(Refused) -> bool = |refused| matches!(refused, Refused::Exceeded { .. });

fn off(mut plan: Plan) -> Plan {
    plan.0.downspeed_per_call = false;
    plan.0.downspeed_total = false;
    plan
}

fn limited_total(kbps: u32) -> Plan {
    Plan::default().subzone("S", |subzone| subzone.total = Limit::Limited(kbps))
}

#[test]
fn d1_each_end_and_each_pipe_of_the_link() {
    let site = Plan::default()
        .plain(&["Home", "Branch", "Head Office"])
        .traversal(Limit::Unlimited)
        .pipe("B", Limit::Unlimited, Limit::Unlimited)
        .pipe("C", Limit::Unlimited, Limit::Unlimited)
        .link("Home", "Branch", &["B", "C"])
        .link("Home", "Head Office", &[])
        .link("Branch", "Head Office", &[])
        .link("Home", "Traversal", &[])
        .build();
    let _grant = site.call("Home", "Branch", 384).unwrap();
    let used = ["Home", "Branch", "B", "C", "Head Office", "Traversal"].map(|name| site.own(name));
    assert_eq!(used, [384, 384, 384, 384, 0, 0]);
}

#[test]
fn d2_relayed_inside_a_subzone() {
    let site = Plan::default()
        .plain(&["S"])
        .traversal(Limit::Unlimited)
        .link("S", "Traversal", &[])
        .build();
    let _grant = site.relay("S", "S", 512).unwrap();
    assert_eq!((site.own("S"), site.own("Traversal")), (1024, 512));
}

#[test]
fn d3_the_lowest_limit_always_applies() {
    for (inter, per_call) in [(128, 512), (512, 128)] {
        let site = Plan::default()
            .subzone("S", |subzone| subzone.inter = Limit::Limited(inter))
            .plain(&["T"])
            .pipe("P", Limit::Unlimited, Limit::Limited(per_call))
            .link("S", "T", &["P"])
            .build();
        assert_eq!(site.call("S", "T", 768).unwrap().kbps(), 128);
    }
}

#[test]
fn e1_the_default_where_nothing_is_said() {
    let site = Plan::default().plain(&["S"]).build();
    let ask = site.ask("S", "S", None, false);
    let _grant = site.admit(&ask).unwrap();
    assert_eq!(site.own("S"), 384);
}

#[test]
fn e2_e3_more_than_one_call_may_use() {
    let plan = Plan::default().subzone("S", |subzone| subzone.intra = Limit::Limited(256));
    assert_eq!(plan.build().call("S", "S", 384).unwrap().kbps(), 256);
    let mut plan = plan;
    plan.0.downspeed_per_call = false;
    let site = plan.build();
    assert!(EXCEEDED(site.call("S", "S", 384).unwrap_err()));
    assert!(site.is_idle());
}

#[test]
fn e4_e5_e6_more_than_is_left() {
    for (used, plan, expected) in [
        (800, limited_total(1000), Some(200)),
        (800, off(limited_total(1000)), None),
        (950, limited_total(1000), None),
    ] {
        let site = plan.build();
        let _used = site.call("S", "S", used).unwrap();
        let granted = site.call("S", "S", 384);
        assert_eq!(granted.as_ref().ok().map(Grant::kbps), expected);
        if let Err(refused) = granted {
            let allowed_kbps = 1000 - used;
            assert_eq!(refused, Refused::Exceeded { allowed_kbps });
            assert_eq!(site.own("S"), u64::from(used));
        }
    }
}

#[test]
fn e7_half_of_what_is_left_where_it_counts_twice() {
    let site = limited_total(1000)
        .traversal(Limit::Unlimited)
        .link("S", "Traversal", &[])
        .build();
    let grant = site.relay("S", "S", 768).unwrap();
    assert_eq!(grant.kbps(), 500);
    assert_eq!((site.own("S"), site.own("Traversal")), (1000, 500));
}

#[test]
fn e8_no_bandwidth_to_others() {
    let site = Plan::default()
        .subzone("S", |subzone| subzone.inter = Limit::NoBandwidth)
        .plain(&["T"])
        .link("S", "T", &[])
        .build();
    for kbps in [0, 1, 384] {
        let refused = site.call("S", "T", kbps).unwrap_err();
        assert_eq!(refused, Refused::Exceeded { allowed_kbps: 0 });
    }
    assert_eq!(site.call("S", "S", 384).unwrap().kbps(), 384);
    // The same for a total.
    let site = Plan::default()
        .subzone("S", |subzone| subzone.total = Limit::NoBandwidth)
        .build();
    assert!(EXCEEDED(site.call("S", "S", 0).unwrap_err()));
}

#[test]
fn e9_no_way() {
    let site = Plan::default().plain(&["S", "T"]).build();
    assert_eq!(site.call("S", "T", 384).unwrap_err(), Refused::NoLink);
    // Nor is there one through a traversal subzone that is not there.
    assert_eq!(site.relay("S", "S", 384).unwrap_err(), Refused::NoLink);
}

#[test]
fn e10_a_subzone_in_between_is_charged() {
    let site = Plan::default()
        .plain(&["S", "M", "T"])
        .link("S", "M", &[])
        .link("M", "T", &[])
        .build();
    let _grant = site.call("S", "T", 384).unwrap();
    assert_eq!(["S", "M", "T"].map(|name| site.own(name)), [384; 3]);
}

#[test]
fn e11_a_pipe_met_twice_counts_twice() {
    let site = Plan::default()
        .plain(&["S", "M", "T"])
        .pipe("P", Limit::Limited(1000), Limit::Unlimited)
        .link("S", "M", &["P"])
        .link("M", "T", &["P"])
        .build();
    let grant = site.call("S", "T", 768).unwrap();
    assert_eq!((grant.kbps(), site.own("P")), (500, 1000));
    let charged: Vec<_> = grant.charges().collect();
    assert_eq!(charged, [("S", 500), ("M", 500), ("T", 500), ("P", 1000)]);
}

#[test]
fn e12_of_equal_ways_the_one_with_the_first_link() {
    // Links 3 and 7 lead over B, 4 and 5 over A; the others lead nowhere.
    let mut plan = Plan::default().plain(&["S", "A", "B", "T", "X", "Y"]);
    for (one, other) in [
        ("X", "Y"),
        ("X", "A"),
        ("Y", "B"),
        ("B", "T"),
        ("S", "A"),
        ("A", "T"),
        ("X", "B"),
        ("S", "B"),
    ] {
        plan = plan.link(one, other, &[]);
    }
    let site = plan.build();
    let view = site.bandwidth.view();
    assert_eq!(
        view.check(&site.ask("S", "T", None, false)).links,
        ["7", "3"]
    );
    // The same way back, and after a reload.
    assert_eq!(
        view.check(&site.ask("T", "S", None, false)).links,
        ["3", "7"]
    );
    site.bandwidth.reload(&plan.0).unwrap();
    let _grant = site.call("S", "T", 384).unwrap();
    assert_eq!((site.own("B"), site.own("A")), (384, 0));
}

#[test]
fn e13_what_the_traversal_subzone_handles() {
    let site = Plan::default()
        .plain(&["S", "T"])
        .traversal(Limit::Limited(256))
        .link("S", "Traversal", &[])
        .link("T", "Traversal", &[])
        .build();
    let grant = site.relay("S", "T", 512).unwrap();
    assert_eq!(grant.kbps(), 256);
    assert_eq!(["S", "T", "Traversal"].map(|name| site.own(name)), [256; 3]);
    // Not for media that only passes by.
    assert_eq!(site.call("S", "T", 512).unwrap().kbps(), 512);
}

#[test]
fn e14_a_zone_has_no_total() {
    let site = Plan::default()
        .plain(&["S"])
        .zone("Z")
        .pipe("P", Limit::Unlimited, Limit::Unlimited)
        .link("S", "Z", &["P"])
        .build();
    let grant = site.call("S", "Z", 384).unwrap();
    let charged: Vec<_> = grant.charges().collect();
    assert_eq!(charged, [("S", 384), ("P", 384)]);
}

#[test]
fn e15_e16_what_others_use_counts() {
    let site = Plan::default()
        .plain(&["S", "T"])
        .pipe("P", Limit::Limited(1000), Limit::Unlimited)
        .link("S", "T", &["P"])
        .build();
    let _own = site.call("S", "T", 300).unwrap();
    // 300 of a fresh member and 300 of a suspect one, whose use is held.
    assert!(site.bandwidth.view().set_remote("P", true, 600));
    assert_eq!(site.call("S", "T", 384).unwrap().kbps(), 100);
    // The second one has expired.
    assert!(site.bandwidth.view().set_remote("P", true, 300));
    assert_eq!(site.call("S", "T", 384).unwrap().kbps(), 384);
    // More than there is: nothing is left, and nothing breaks.
    assert!(site.bandwidth.view().set_remote("P", true, u64::MAX));
    assert!(EXCEEDED(site.call("S", "T", 384).unwrap_err()));
}

#[test]
fn e17_a_second_release_changes_nothing() {
    let site = Plan::default().plain(&["S"]).build();
    let other = site.call("S", "S", 100).unwrap();
    let mut grant = site.call("S", "S", 384).unwrap();
    grant.release();
    assert_eq!((grant.kbps(), site.own("S")), (0, 100));
    grant.release();
    drop(grant);
    assert_eq!(site.own("S"), 100);
    drop(other);
    assert!(site.is_idle());
}
