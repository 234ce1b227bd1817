//! The conference model of POLICY.md section 8.

use super::*;

fn alias(name: &str, pattern: &str, conference: &str) -> AliasSettings {
    AliasSettings {
        name: name.into(),
        pattern: pattern.into(),
        priority: 1,
        conference: Some(conference.into()),
        role: Role::Participant,
        fallback: false,
        may_create: true,
        participants_max: None,
        pools: Vec::new(),
        tags: Vec::new(),
        zones: Vec::new(),
    }
}

fn plan(aliases: Vec<AliasSettings>) -> Result<Plan, Mistake> {
    let settings = Settings {
        aliases,
        ..Settings::default()
    };
    Plan::new(&settings, &["first", "second"])
}

/// Rule and conference, or why not.
fn ask(plan: &Plan, alias: &str) -> Result<(String, String), NoPlace> {
    let mut name = None;
    let route = plan.route(alias.as_bytes(), "edge", &mut name)?;
    let rule = route.rule.expect("there is a plan").name.to_string();
    assert!(route.has_conference);
    let name = name.expect("there is a plan");
    Ok((rule, name.as_str().to_owned()))
}

fn answer(rule: &str, conference: &str) -> Result<(String, String), NoPlace> {
    Ok((rule.to_owned(), conference.to_owned()))
}

#[test]
fn two_aliases_of_one_name_are_one_conference() {
    let plan = plan(vec![
        alias("meet", r"meet\.(.+)@example\.com", r"\1"),
        alias("guest", r"guest\.(.+)@example\.com", r"\1"),
    ]);
    let plan = plan.expect("right");
    assert_eq!(
        ask(&plan, "meet.Sales@Example.COM"),
        answer("meet", "sales")
    );
    assert_eq!(
        ask(&plan, "SIP:guest.sales@example.com"),
        answer("guest", "sales")
    );
    assert_eq!(
        ask(&plan, "sips:meet.sales@example.com"),
        answer("meet", "sales")
    );
}

#[test]
fn a_pattern_matches_the_whole_alias() {
    let plan = plan(vec![alias("a", "7(1|12)@b", r"c-\1")]).expect("right");
    assert_eq!(ask(&plan, "712@b"), answer("a", "c-12"));
    for wrong in ["x71@b", "71@b.x", "71@bx", "", "71", "\n71@b", "71@b\n"] {
        assert_eq!(ask(&plan, wrong), Err(NoPlace::AliasUnknown), "{wrong:?}");
    }
    assert!(plan.route(b"71@\xff", "edge", &mut None).is_err());
}

#[test]
fn alternatives_are_anchored_too() {
    let plan = plan(vec![alias("a", "x|y", "z")]).expect("right");
    assert_eq!(ask(&plan, "y"), answer("a", "z"));
    assert_eq!(ask(&plan, "xa"), Err(NoPlace::AliasUnknown));
    assert_eq!(ask(&plan, "ay"), Err(NoPlace::AliasUnknown));
}

#[test]
fn priority_comes_before_order() {
    let late = AliasSettings {
        priority: 2,
        ..alias("late", ".*", "all")
    };
    let plan = plan(vec![
        late,
        alias("one", "7.*", "seven"),
        alias("two", "7.*", "other"),
    ]);
    let plan = plan.expect("right");
    assert_eq!(ask(&plan, "71"), answer("one", "seven"));
    assert_eq!(ask(&plan, "81"), answer("late", "all"));
}

#[test]
fn a_zone_that_may_not_is_told_so_unless_another_rule_serves_it() {
    let inner = AliasSettings {
        zones: vec!["inside".into()],
        ..alias("inner", "7.*", "seven")
    };
    let plan_of_one = plan(vec![inner.clone()]).expect("right");
    assert_eq!(ask(&plan_of_one, "71"), Err(NoPlace::CallerNotAllowed));
    assert!(plan_of_one.route(b"71", "inside", &mut None).is_ok());
    let both = plan(vec![inner, alias("outer", "71", "out")]).expect("right");
    assert_eq!(ask(&both, "71"), answer("outer", "out"));
}

#[test]
fn a_name_that_is_none_is_an_unknown_alias() {
    let plan = plan(vec![alias("a", "x(.*)", r"\1")]).expect("right");
    assert_eq!(ask(&plan, "x"), Err(NoPlace::AliasUnknown));
    assert_eq!(
        ask(&plan, &format!("x{}", "y".repeat(256))),
        Err(NoPlace::AliasUnknown)
    );
    assert!(ask(&plan, &format!("x{}", "y".repeat(255))).is_ok());
}

#[test]
fn what_cannot_be_run_is_refused_when_it_is_loaded() {
    let wrong = [
        ("a(?=b", "x", "without closing"),
        ("a(", "x", "unclosed group"),
        ("a)|(b", "x", "unopened group"),
        ("a{1000}{1000}{1000}", "x", "limit"),
        ("(a)", r"\2", "it has 1"),
        ("a", r"x\", "backslash"),
        ("a", r"\n", "backslash"),
    ];
    for (pattern, conference, part) in wrong {
        let mistake = plan(vec![alias("bad", pattern, conference)]).expect_err(pattern);
        let text = mistake.to_string();
        assert!(
            text.contains(part) && text.contains("bad"),
            "{pattern}: {text}"
        );
    }
    let pool = AliasSettings {
        pools: vec!["third".into()],
        ..alias("a", "a", "a")
    };
    assert!(matches!(plan(vec![pool]), Err(Mistake::AliasPool { .. })));
}

#[test]
fn backslashes_in_names_stand_for_themselves_when_doubled() {
    let plan = plan(vec![alias("a", "(x)(y)?", r"\\1\1\2\0")]).expect("right");
    assert_eq!(ask(&plan, "x"), answer("a", r"\1xx"));
}

#[test]
fn pools_and_tags_go_with_the_rule() {
    let special = AliasSettings {
        pools: vec!["second".into(), "first".into()],
        tags: vec!["record".into(), "4k".into()],
        ..alias("special", "1", "one")
    };
    let plan = plan(vec![special, alias("plain", "2", "two")]).expect("right");
    let route = plan.route(b"1", "", &mut None).expect("known");
    assert_eq!((route.pools, route.tags), (&[1, 0][..], 0b11));
    let route = plan.route(b"2", "", &mut None).expect("known");
    assert_eq!((route.pools, route.tags), (&[0, 1][..], 0));
    assert_eq!(plan.tags(&["4k".into(), "blue".into()]), 0b10);
}

/// As published rules for a VCS have them.
#[test]
fn patterns_may_look_ahead_and_back() {
    let local = alias("local", r"(?!.*@example\.com)(.+)@([^@]+)", r"\1-\2");
    let twice = alias("twice", r"(\w+)\.\1@example\.com", r"\1");
    let plan = plan(vec![local, twice]).expect("both can be run");
    assert_eq!(ask(&plan, "a@b.net"), answer("local", "a-b.net"));
    assert_eq!(ask(&plan, "a.a@example.com"), answer("twice", "a"));
    assert_eq!(ask(&plan, "a.b@example.com"), Err(NoPlace::AliasUnknown));
    // The whole text, here too.
    assert_eq!(ask(&plan, "x a.a@example.com"), Err(NoPlace::AliasUnknown));
}

#[test]
fn a_pattern_that_would_take_for_ever_gives_up() {
    let pattern = Pattern::new(r"(?=(a+)+$)(a|aa)+b\1", None).expect("can be run");
    assert_eq!(pattern.is_match(&"a".repeat(60)), Err(GaveUp));
    assert_eq!(pattern.is_match("x"), Ok(false));
    for wrong in [r"(?!a", r"(?<=a", r"a)|(b(?=c)", r"(?P<x>(?=a)\9)"] {
        assert!(Pattern::new(wrong, None).is_err(), "{wrong}");
    }
}
