//! Subzones and links that are there without being configured, as on a VCS.

use super::settings::{BandwidthSettings, LinkSettings, SubzoneKind, SubzoneSettings};

/// What the default subzone is called where none is configured.
pub const DEFAULT_SUBZONE: &str = "DefaultSubzone";
/// What the traversal subzone is called where none is configured.
pub const TRAVERSAL_SUBZONE: &str = "TraversalSubzone";
/// The zone of calls that come from no other one.
pub const DEFAULT_ZONE: &str = "DefaultZone";

impl BandwidthSettings {
    /// Adds what is always there: a default and a traversal subzone without limits, and the zone of
    /// whoever is in no other one.
    pub fn add_premade_nodes(&mut self) {
        for (kind, name) in [
            (SubzoneKind::Default, DEFAULT_SUBZONE),
            (SubzoneKind::Traversal, TRAVERSAL_SUBZONE),
        ] {
            if self.name_of(kind).is_none() {
                self.subzones.push(SubzoneSettings {
                    name: name.to_owned(),
                    kind,
                    ..SubzoneSettings::default()
                });
            }
        }
        if !self.zones.iter().any(|zone| zone == DEFAULT_ZONE) {
            self.zones.push(DEFAULT_ZONE.to_owned());
        }
    }

    /// Adds the links that every node has (BANDWIDTH.md section 2), to nodes that are there. Nodes that
    /// are linked already get no second link: a configured one, with its pipes, stands for it.
    pub fn add_premade_links(&mut self) {
        let default = self.name_of(SubzoneKind::Default);
        let traversal = self.name_of(SubzoneKind::Traversal);
        let cluster = self.name_of(SubzoneKind::Cluster);
        let mut pairs = vec![
            (default.clone(), traversal.clone()),
            (default.clone(), cluster),
        ];
        let manual = self.subzones.iter();
        let manual = manual.filter(|subzone| subzone.kind == SubzoneKind::Manual);
        let manual = manual.map(|subzone| subzone.name.clone());
        for node in self.zones.iter().cloned().chain(manual) {
            pairs.push((default.clone(), Some(node.clone())));
            pairs.push((traversal.clone(), Some(node)));
        }
        for pair in pairs {
            let (Some(one), Some(other)) = pair else {
                continue;
            };
            let is_linked = |link: &LinkSettings| {
                let [first, second] = &link.nodes;
                (first, second) == (&one, &other) || (first, second) == (&other, &one)
            };
            if !self.links.iter().any(is_linked) {
                self.links.push(LinkSettings {
                    name: format!("{one} - {other}"),
                    nodes: [one, other],
                    pipes: Vec::new(),
                });
            }
        }
    }

    fn name_of(&self, kind: SubzoneKind) -> Option<String> {
        let subzone = self.subzones.iter().find(|subzone| subzone.kind == kind);
        subzone.map(|subzone| subzone.name.clone())
    }
}
