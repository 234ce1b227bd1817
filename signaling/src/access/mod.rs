//! Who may call: the zones that callers come from, what a source is, and whether it may begin
//! something.
//!
//! The decision covers every method. With no zone at all, everybody may call; with one, whoever is
//! in none is a stranger. Nothing here answers: `sip::uas` does.

mod prefix;
pub mod rates;

pub use prefix::{Prefix, PrefixFault, Prefixes};
pub use rates::{Excess, Rate, Rates};

use crate::hop::{Hop, IdentityId};
use crate::settings::ReferMode;
use crate::sip::auth::Realm;
use crate::sip::auth::answer::{Account, Answerable};
use crate::sip::message::{HeaderName, Line, Message};
use siphasher::sip::SipHasher13;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

/// Which zone, by its name: it says the same in each configuration, so that a call which lives keeps its
/// zone whatever stands before or behind that now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneId(u64);

impl ZoneId {
    /// The zone of this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(number_of(name))
    }
}

/// Where calls come from, and what holds for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// How it is called in logs and rules.
    pub name: String,
    /// The addresses of its sources.
    pub from: Vec<Prefix>,
    /// The names in certificates of its sources, in small letters: whoever proves one is in the
    /// zone, wherever it comes from.
    pub tls_names: Vec<String>,
    /// Most hops that an INVITE from here may still go (FEATURES.md ZON-14).
    pub hops_max: u32,
    /// The realm in which its callers must prove who they are.
    pub realm: Option<Realm>,
    /// Whether what its callers say of their identity is believed (RFC 3325 §3).
    pub trusts_identity: bool,
    /// Names of header fields that its requests lose here.
    pub strip_headers: Vec<FieldName>,
    /// Option tags in Proxy-Require that are ignored.
    pub strip_proxy_require: Vec<String>,
    /// What becomes of a REFER in its calls, if not what the node does.
    pub refer: Option<ReferMode>,
    /// Whether UPDATE is taken out of what either side of its calls allows.
    pub strips_update: bool,
}

/// The name of a header field in a list: all its spellings are the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName {
    name: HeaderName,
    text: Vec<u8>,
}

impl FieldName {
    /// The name of this spelling, long or compact, in any case.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim().as_bytes();
        Self {
            name: HeaderName::from_bytes(text),
            text: text.to_vec(),
        }
    }

    /// Whether a line is of this name, however it is spelled; white space before its colon is no part
    /// of the name (RFC 3261 §7.3.1, CVE-2020-28361).
    #[must_use]
    pub fn is_of(&self, line: &Line<'_>) -> bool {
        if self.name != HeaderName::Other {
            return line.name == self.name;
        }
        let name = line.name_text.trim_ascii();
        line.name == HeaderName::Other && name.eq_ignore_ascii_case(&self.text)
    }
}

impl Zone {
    /// A zone of which nothing is known but where it is: its callers are believed.
    #[must_use]
    pub fn new(name: &str, from: Vec<Prefix>) -> Self {
        Self {
            name: name.to_owned(),
            from,
            tls_names: Vec::new(),
            hops_max: 15,
            realm: None,
            trusts_identity: true,
            strip_headers: Vec::new(),
            strip_proxy_require: Vec::new(),
            refer: None,
            strips_update: false,
        }
    }

    /// Whether a line of a request from here goes on to the peer.
    #[must_use]
    pub fn passes(&self, line: &Line<'_>) -> bool {
        // RFC 3325 §5: nobody else may say who the caller is.
        let is_claim = is_identity(line.name) && !self.trusts_identity;
        // What proves the caller to us is nothing for the peer.
        let is_proof = line.name == HeaderName::Authorization
            && self
                .realm
                .as_ref()
                .is_some_and(|realm| realm.is_of(line.value));
        let is_ours = is_claim || is_proof;
        !is_ours && !self.strip_headers.iter().any(|name| name.is_of(line))
    }

    /// Whether an answer may not say here who gave it: RFC 3325 §7, who asked for privacy is not named
    /// to whom we do not trust.
    #[must_use]
    pub fn hides_identity(&self, answer: &Message<'_>) -> bool {
        !self.trusts_identity && asks_for_privacy(answer)
    }

    /// Whether an option tag of Proxy-Require is ignored here.
    #[must_use]
    pub fn ignores(&self, tag: &[u8]) -> bool {
        self.strip_proxy_require
            .iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(tag))
    }
}

/// Whether a header field says who somebody is, to those who trust the one that writes it: RFC 3325
/// §9.1, and the draft that came before it.
pub(crate) fn is_identity(name: HeaderName) -> bool {
    matches!(
        name,
        HeaderName::PAssertedIdentity | HeaderName::RemotePartyId
    )
}

/// Whether a message asks that nobody is told who its sender is (RFC 3323 §4.2, RFC 3325 §9.3).
fn asks_for_privacy(message: &Message<'_>) -> bool {
    message
        .headers(HeaderName::Privacy)
        .flat_map(|value| value.split(|octet| matches!(octet, b';' | b',')))
        .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"id"))
}

/// What becomes of a request from a source that is in no zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// It is served.
    Allow,
    /// It is dropped without an answer.
    Drop,
    /// It gets 403.
    #[default]
    Refuse,
}

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// No zones are configured: everybody may call.
    Anybody,
    /// An address of a peer, which is asked and does not ask.
    Peer,
    /// In no zone, and no peer.
    Stranger,
    /// In this zone.
    Zone(ZoneId),
}

impl Source {
    /// The zone, if it is in one.
    #[must_use]
    pub fn zone(self) -> Option<ZoneId> {
        match self {
            Self::Zone(zone) => Some(zone),
            Self::Anybody | Self::Peer | Self::Stranger => None,
        }
    }
}

/// A name in a certificate that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: String,
    id: IdentityId,
    zone: ZoneId,
}

impl Name {
    fn new(text: &str, zone: ZoneId) -> Self {
        Self {
            text: text.to_owned(),
            id: IdentityId(number_of(text)),
            zone,
        }
    }
}

/// Only names that an operator wrote are numbered: nobody outside makes two of them equal.
fn number_of(name: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Most zones that are remembered after they are gone.
const GONE_MAX: usize = 1_000;

/// The zones of a node, compiled once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// In the order of their numbers.
    zones: Vec<(ZoneId, Zone)>,
    /// Zones that are configured no more, as they were last: for the calls that came from them.
    gone: Vec<(ZoneId, Zone)>,
    sources: Prefixes<ZoneId>,
    /// The names of all zones.
    names: Vec<Name>,
    peers: Prefixes<()>,
    /// Where the names of peers lead now.
    located: Prefixes<()>,
    /// What becomes of who is in no zone, where there are zones.
    pub strangers: Strangers,
    /// How often one source may begin something.
    pub rates: Rates,
    /// Who we are to peers that ask.
    pub accounts: Vec<Account>,
}

impl Access {
    /// Compiles zones and the peers' addresses.
    #[must_use]
    pub fn new(
        zones: Vec<Zone>,
        peers: impl IntoIterator<Item = Prefix>,
        strangers: Strangers,
        rates: Rates,
    ) -> Self {
        let numbered = zones.into_iter().map(|zone| (ZoneId::of(&zone.name), zone));
        let mut zones: Vec<(ZoneId, Zone)> = numbered.collect();
        let froms = |(id, zone): &(ZoneId, Zone)| {
            let id = *id;
            let from = zone.from.clone().into_iter();
            from.map(move |prefix| (prefix, id))
        };
        let sources = Prefixes::new(zones.iter().flat_map(froms));
        let names = zones.iter().flat_map(|(id, zone)| {
            let names = zone.tls_names.iter();
            names.map(|name| Name::new(name, *id))
        });
        let names = names.collect();
        zones.sort_by_key(|(id, _)| *id);
        Self {
            names,
            zones,
            gone: Vec::new(),
            sources,
            peers: Prefixes::new(peers.into_iter().map(|prefix| (prefix, ()))),
            located: Prefixes::default(),
            strangers,
            rates,
            accounts: Vec::new(),
        }
    }

    /// What is known of a zone.
    #[must_use]
    pub fn zone(&self, id: ZoneId) -> Option<&Zone> {
        let at = |zones: &[(ZoneId, Zone)]| zones.binary_search_by_key(&id, |(id, _)| *id).ok();
        let (zones, at) = match (at(&self.zones), at(&self.gone)) {
            (Some(at), _) => (&self.zones, at),
            (None, at) => (&self.gone, at?),
        };
        zones.get(at).map(|(_, zone)| zone)
    }

    /// The same, after another configuration: what held for the zones that are gone still holds for the
    /// calls that came from them.
    #[must_use]
    pub fn after(mut self, earlier: &Self) -> Self {
        let is_gone = |id: &ZoneId| self.zones.binary_search_by_key(id, |(id, _)| *id).is_err();
        let gone = earlier.zones.iter().chain(&earlier.gone);
        let mut gone: Vec<_> = gone.filter(|(id, _)| is_gone(id)).cloned().collect();
        gone.truncate(GONE_MAX);
        gone.sort_by_key(|(id, _)| *id);
        self.gone = gone;
        self
    }

    /// What the other side of a hop is. Who is in a zone and a peer too may call.
    #[must_use]
    pub fn source(&self, hop: &Hop) -> Source {
        if self.zones.is_empty() {
            return Source::Anybody;
        }
        match self.zone_of(hop) {
            Some(zone) => Source::Zone(zone),
            None if self.is_peer(hop) => Source::Peer,
            None => Source::Stranger,
        }
    }

    /// Whether calls are taken from the other side of a hop.
    #[must_use]
    pub fn may_call(&self, hop: &Hop) -> bool {
        match self.source(hop) {
            Source::Anybody | Source::Zone(_) => true,
            Source::Peer => false,
            Source::Stranger => self.strangers == Strangers::Allow,
        }
    }

    /// Who somebody is that proved to have these names: the first of the zones' names that is one of
    /// them.
    #[must_use]
    pub fn identity(&self, names: &[String]) -> Option<IdentityId> {
        let is_proven = |known: &String| names.iter().any(|name| name.eq_ignore_ascii_case(known));
        let mut known = self.names.iter();
        known
            .find(|known| is_proven(&known.text))
            .map(|known| known.id)
    }

    /// The zone of the other side of a hop. What it proved counts more than where it is.
    fn zone_of(&self, hop: &Hop) -> Option<ZoneId> {
        let named = |id: IdentityId| self.names.iter().find(|name| name.id == id);
        hop.identity
            .and_then(named)
            .map(|name| name.zone)
            .or_else(|| self.sources.find(hop.remote.ip()))
    }

    /// Our account for what is asked there, if there is one, and the challenge that it answers.
    pub(crate) fn answerable<'a>(
        &self,
        hop: &Hop,
        refusal: &Message<'a>,
    ) -> Option<(&Account, Answerable<'a>)> {
        let mut accounts = self.accounts.iter();
        accounts.find_map(|account| Some((account, account.answerable(hop, refusal)?)))
    }

    /// Whether we have an account where this leads.
    pub(crate) fn has_account(&self, hop: &Hop) -> bool {
        self.accounts.iter().any(|account| account.is_at(hop))
    }

    /// The same, where the names of peers lead here now.
    #[must_use]
    pub fn with_located(mut self, peers: impl IntoIterator<Item = IpAddr>) -> Self {
        let peers = peers.into_iter().map(|peer| (Prefix::of(peer), ()));
        self.located = Prefixes::new(peers);
        self
    }

    /// Whether the other side of a hop has an address of some peer.
    #[must_use]
    pub fn is_peer(&self, hop: &Hop) -> bool {
        self.has_peer_at(hop.remote.ip())
    }

    /// Whether some peer has this address.
    #[must_use]
    pub fn has_peer_at(&self, address: IpAddr) -> bool {
        self.peers.find(address).is_some() || self.located.find(address).is_some()
    }

    /// Whether a message that came by `hop` comes from the side that `known` leads to: the same
    /// address, the same connection, the same proven name, or the same zone.
    #[must_use]
    pub fn is_same_side(&self, known: &Hop, hop: &Hop) -> bool {
        let same_address = known.remote.ip().to_canonical() == hop.remote.ip().to_canonical();
        let same_connection = known.connection.is_some() && known.connection == hop.connection;
        let same_identity = known.identity.is_some() && known.identity == hop.identity;
        same_address
            || same_connection
            || same_identity
            || self
                .zone_of(known)
                .is_some_and(|zone| self.zone_of(hop) == Some(zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hop::{ConnectionId, ListenerId, Transport};
    use crate::sip::message::{Framing, Index, Limits};
    use std::num::NonZeroU64;

    fn hop(remote: &str, connection: u64) -> Hop {
        Hop {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: remote.parse().unwrap(),
            connection: NonZeroU64::new(connection).map(ConnectionId),
            identity: None,
        }
    }

    fn access(zones: &[(&str, &str)]) -> Access {
        let zones = zones
            .iter()
            .map(|(name, from)| Zone::new(name, vec![from.parse().unwrap()]));
        Access::new(
            zones.collect(),
            ["192.0.2.9".parse().unwrap(), "10.0.0.9".parse().unwrap()],
            Strangers::Refuse,
            Rates::default(),
        )
    }

    #[test]
    fn without_zones_everybody_may_call() {
        let access = access(&[]);
        assert_eq!(access.source(&hop("203.0.113.1:5060", 0)), Source::Anybody);
        assert_eq!(access.source(&hop("192.0.2.9:5060", 0)), Source::Anybody);
        assert!(access.is_peer(&hop("192.0.2.9:5999", 0)));
    }

    #[test]
    fn with_zones_a_source_is_in_one_or_a_peer_or_a_stranger() {
        let access = access(&[("vcs", "10.0.0.0/8"), ("lab", "2001:db8::/64")]);
        let source = |remote| access.source(&hop(remote, 0));
        assert_eq!(source("10.1.1.1:5060"), Source::Zone(ZoneId::of("vcs")));
        assert_eq!(
            source("[2001:db8::7]:5060"),
            Source::Zone(ZoneId::of("lab"))
        );
        assert_eq!(source("192.0.2.9:5060"), Source::Peer);
        assert_eq!(source("192.0.2.8:5060"), Source::Stranger);
        // The peer in the zone's range may call too.
        assert_eq!(source("10.0.0.9:5060"), Source::Zone(ZoneId::of("vcs")));
        assert_eq!(
            access
                .zone(ZoneId::of("lab"))
                .map(|zone| zone.name.as_str()),
            Some("lab")
        );
    }

    #[test]
    fn a_zone_is_known_by_its_name_after_a_reload() {
        let earlier = access(&[("vcs", "10.0.0.0/8"), ("old", "10.1.0.0/16")]);
        let later = access(&[("new", "192.0.2.0/24"), ("vcs", "10.0.0.0/9")]).after(&earlier);
        for name in ["new", "vcs", "old"] {
            let zone = later.zone(ZoneId::of(name));
            assert_eq!(zone.map(|zone| zone.name.as_str()), Some(name));
        }
        let vcs = later.zone(ZoneId::of("vcs")).map(|zone| &zone.from);
        assert_eq!(vcs, Some(&vec!["10.0.0.0/9".parse().unwrap()]));
        let moved = later.source(&hop("10.1.1.1:5060", 0));
        assert_eq!(moved, Source::Zone(ZoneId::of("vcs")));
        // Once more: who is gone stays known, and who comes back is as it is now.
        let again = access(&[("old", "10.2.0.0/16")]).after(&later);
        assert!(again.zone(ZoneId::of("new")).is_some());
        let old = again.zone(ZoneId::of("old")).map(|zone| &zone.from);
        assert_eq!(old, Some(&vec!["10.2.0.0/16".parse().unwrap()]));
    }

    #[test]
    fn a_side_is_its_address_its_connection_and_its_zone() {
        let access = access(&[("vcs", "10.0.0.0/8")]);
        let known = hop("10.0.0.1:5060", 0);
        assert!(access.is_same_side(&known, &hop("10.0.0.1:40000", 0)));
        assert!(access.is_same_side(&known, &hop("10.0.0.2:5060", 0)));
        assert!(!access.is_same_side(&known, &hop("192.0.2.1:5060", 0)));
        let known = hop("192.0.2.1:5060", 7);
        assert!(access.is_same_side(&known, &hop("192.0.2.77:5060", 7)));
        assert!(!access.is_same_side(&known, &hop("192.0.2.77:5060", 8)));
        // Two strangers are not one side.
        assert!(!access.is_same_side(&hop("192.0.2.1:5060", 0), &hop("192.0.2.2:5060", 0)));
    }

    #[test]
    fn where_the_name_of_a_peer_leads_is_a_peer() {
        let access = access(&[("vcs", "10.0.0.0/8")]);
        let found = hop("198.51.100.7:5060", 0);
        assert_eq!(access.source(&found), Source::Stranger);
        let access = access.with_located([found.remote.ip()]);
        assert_eq!(access.source(&found), Source::Peer);
        assert!(access.is_peer(&hop("192.0.2.9:5060", 0)));
        // It has moved.
        let access = access.with_located([]);
        assert_eq!(access.source(&found), Source::Stranger);
    }

    fn kept(zone: &Zone, headers: &str) -> Vec<String> {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
             From: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n\
             {headers}Content-Length: 0\r\n\r\n"
        );
        let mut index = Index::new(Limits::default());
        let message = index.read(text.as_bytes(), Framing::Datagram);
        assert_eq!(message.fault(), None);
        let lines = message.lines().filter(|line| zone.passes(line)).skip(5);
        let names = lines.map(|line| String::from_utf8_lossy(line.name_text).into_owned());
        names.filter(|name| name != "Content-Length").collect()
    }

    #[test]
    fn a_strip_list_knows_all_spellings() {
        let mut zone = Zone::new("a", Vec::new());
        zone.strip_headers = ["x-BYPASS-me", "Subject", "k"].map(FieldName::new).to_vec();
        let headers = "X-Bypass-me : 1\r\nX-Bypass-Me: 1\r\nx-bypass-me\t: 1\r\nX-Bypass-mee: 1\r\n\
                       s : hello\r\nSUBJECT: hello\r\nSupported: x\r\nX-Other: 1\r\n";
        assert_eq!(kept(&zone, headers), ["X-Bypass-mee", "X-Other"]);
    }

    #[test]
    fn an_identity_is_believed_only_where_it_is_trusted() {
        let mut zone = Zone::new("a", Vec::new());
        let headers = "P-Asserted-Identity: <sip:boss@b>\r\nPrivacy: id\r\n";
        assert_eq!(kept(&zone, headers), ["P-Asserted-Identity", "Privacy"]);
        zone.trusts_identity = false;
        assert_eq!(kept(&zone, headers), ["Privacy"]);
    }

    #[test]
    fn credentials_for_us_go_no_further() {
        let mut zone = Zone::new("a", Vec::new());
        let line = |realm: &str| {
            format!(
                "Authorization: Digest username=\"u\",realm=\"{realm}\",nonce=\"n\",uri=\"u\",\
                 response=\"r\"\r\n"
            )
        };
        let both = format!("{}{}", line("ours"), line("theirs"));
        assert_eq!(kept(&zone, &both).len(), 2);
        zone.realm = Some(Realm::new("ours", []));
        assert_eq!(kept(&zone, &both).len(), 1);
    }

    #[test]
    fn a_proven_name_is_a_zone_wherever_it_comes_from() {
        let named = |name: &str, names: &[&str]| Zone {
            tls_names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Zone::new(name, Vec::new())
        };
        let mut zones = vec![Zone::new("near", vec!["192.0.2.0/24".parse().unwrap()])];
        zones.push(named("vcs", &["a.example.com", "b.example.com"]));
        zones.push(named("cms", &["sip:example.com"]));
        let access = Access::new(zones, [], Strangers::Refuse, Rates::default());
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let identity = access.identity(&names(&["x.example.com", "B.example.com"]));
        assert!(identity.is_some());
        assert_eq!(access.identity(&names(&["x.example.com"])), None);
        let with = |remote: &str, identity| Hop {
            identity,
            ..hop(remote, 0)
        };
        let (near, far) = ("192.0.2.1:1", "198.51.100.1:1");
        assert_eq!(access.source(&with(far, None)), Source::Stranger);
        for remote in [near, far] {
            let zone = access.source(&with(remote, identity));
            assert_eq!(
                zone,
                Source::Zone(ZoneId::of("vcs")),
                "what is proven counts more"
            );
        }
        let sibling = access.identity(&names(&["a.example.com"]));
        assert_ne!(sibling, identity);
        let other = access.identity(&names(&["sip:example.com"]));
        let first = with(far, identity);
        assert!(access.is_same_side(&first, &with("203.0.113.9:1", identity)));
        assert!(access.is_same_side(&first, &with("203.0.113.9:1", sibling)));
        assert!(!access.is_same_side(&first, &with("203.0.113.9:1", other)));
        assert!(!access.is_same_side(&first, &with("203.0.113.9:1", None)));
    }
}
