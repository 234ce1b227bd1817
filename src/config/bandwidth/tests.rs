//! `[bandwidth]`, right and wrong.

use super::*;
use crate::config::Config;

const LEAST: &str = "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n\
                     [[peer]]\nname = \"a\"\nat = \"udp:127.0.0.1:5180\"\nsessions_max = 1\n";

fn read(text: &str) -> BandwidthSettings {
    let config = Config::parse(&format!("{LEAST}{text}"), "f").unwrap();
    config.bandwidth.unwrap()
}

/// What is said, each with its line in `text`.
fn mistakes(text: &str) -> Vec<String> {
    let mistakes = Config::parse(&format!("{LEAST}{text}"), "f").unwrap_err();
    let lines = LEAST.lines().count();
    mistakes
        .iter()
        .map(|mistake| format!("{}: {}", mistake.line() - lines, mistake.message()))
        .collect()
}

#[test]
fn an_empty_table_has_what_is_always_there() {
    let settings = read("[bandwidth]\n");
    let names: Vec<&str> = settings
        .subzones
        .iter()
        .map(|zone| zone.name.as_str())
        .collect();
    assert_eq!(names, ["DefaultSubzone", "TraversalSubzone"]);
    assert_eq!(settings.zones, ["DefaultZone"]);
    assert_eq!(settings.links.len(), 3);
    assert!(
        read("[bandwidth]\npremade_links = false\n")
            .links
            .is_empty()
    );
}

#[test]
fn everything_is_read() {
    let settings = read(
        "[[zone]]\nname = \"vcs\"\nfrom = [\"192.0.2.1\"]\n[bandwidth]\ndefault_call_kbps = 512\n\
         downspeed_per_call = false\ndownspeed_total = false\ndownspeed_floor_kbps = 32\n\
         premade_links = false\n[[bandwidth.subzone]]\nname = \"here\"\nkind = \"default\"\n\
         total = 1000\nintra = \"none\"\ninter = \"unlimited\"\n[[bandwidth.pipe]]\nname = \"p\"\n\
         total = 0\nper_call = 64\n[[bandwidth.link]]\nname = \"l\"\nnodes = [\"here\", \"vcs\"]\n\
         pipes = [\"p\", \"p\"]\n[[bandwidth.rule]]\nsubzone = \"here\"\npriority = 7\n\
         by = \"subnet\"\nvalue = \"2001:db8::/32\"\n[[bandwidth.rule]]\nsubzone = \"here\"\nby = \"regex\"\nvalue = 'a\\d+'\n\
         enabled = false\n",
    );
    assert_eq!(
        (settings.default_call_kbps, settings.downspeed_floor_kbps),
        (512, 32)
    );
    assert!(!settings.downspeed_per_call && !settings.downspeed_total);
    let here = SubzoneSettings {
        name: "here".to_owned(),
        kind: SubzoneKind::Default,
        total: Limit::Limited(1000),
        intra: Limit::NoBandwidth,
        ..SubzoneSettings::default()
    };
    assert_eq!(settings.subzones.first(), Some(&here));
    assert_eq!(settings.pipes[0].per_call, Limit::Limited(64));
    let link = LinkSettings {
        name: "l".to_owned(),
        nodes: ["here".to_owned(), "vcs".to_owned()],
        pipes: vec!["p".to_owned(), "p".to_owned()],
    };
    assert_eq!(settings.links, [link]);
    let subnet = RuleMatch::Subnet("2001:db8::".parse().unwrap(), 32);
    assert_eq!(
        (&settings.rules[0].matches, settings.rules[0].priority),
        (&subnet, 7)
    );
    assert!(!settings.rules[1].is_enabled);
}

#[test]
fn mistakes_have_a_place_and_a_suggestion() {
    let said = mistakes(
        "[bandwidth]\n[[bandwidth.subzone]]\nname = \"office\"\ntotal = \"unlimitd\"\ninter = -1\n\
         kind = \"manuel\"\n[[bandwidth.link]]\nname = \"l\"\nnodes = [\"offic\", \"TraversalSubzone\"]\n\
         pipes = [\"wan\"]\n[[bandwidth.link]]\nname = \"m\"\nnodes = [\"office\"]\n\
         [[bandwidth.rule]]\nsubzone = \"ofice\"\nby = \"subnet\"\nvalue = \"192.0.2.1/24\"\n\
         [[bandwidth.rule]]\nsubzone = \"office\"\nby = \"alias\"\nvalue = \"b\"\n\
         [[bandwidth.rule]]\nsubzone = \"office\"\nby = \"regex\"\nvalue = \"(\"\n",
    );
    let expected = [
        "4: `total` cannot be `unlimitd`; did you mean `unlimited`?",
        "5: `inter` is -1; it takes a whole number from 0 to 100000000, such as `inter = 2000`",
        "6: `kind` cannot be `manuel`; did you mean `manual`?",
        "9: there is no bandwidth.subzone `offic`; did you mean `office`?",
        "10: there is no bandwidth.pipe `wan`; add `[[bandwidth.pipe]]` with `name = \"wan\"`",
        "13: `nodes` has 1 names; a link has two ends: `nodes = [\"office\", \"DefaultSubzone\"]`",
        "15: there is no bandwidth.subzone `ofice`; did you mean `office`?",
        "17: `value` is `192.0.2.1/24`, which has bits set behind its length; write `192.0.2.0/24`",
    ];
    assert_eq!(
        said.get(..8),
        Some(&expected.map(str::to_owned)[..]),
        "{said:#?}"
    );
    assert!(
        said[8].starts_with("20: `by` cannot be `alias`; write `subnet`"),
        "{said:#?}"
    );
    assert!(
        said[9].starts_with("25: `value` cannot be used"),
        "{said:#?}"
    );
    assert_eq!(said.len(), 10);
}

#[test]
fn what_concerns_several_is_said_at_the_table() {
    let twice = "[bandwidth]\n[[bandwidth.pipe]]\nname = \"p\"\n[[bandwidth.pipe]]\nname = \"p\"\n";
    assert_eq!(
        mistakes(twice),
        ["1: `[bandwidth]`: there are two called `p`"]
    );
    let kinds = "[bandwidth]\n[[bandwidth.subzone]]\nname = \"a\"\nkind = \"default\"\n\
                 [[bandwidth.subzone]]\nname = \"b\"\nkind = \"default\"\n";
    assert_eq!(
        mistakes(kinds),
        ["1: `[bandwidth]`: `b` is a second subzone of its kind"]
    );
    let number = Config::parse(&format!("bandwidth = 3\n{LEAST}"), "f").unwrap_err();
    assert!(number[0].message().contains("write `[bandwidth]`"));
}
