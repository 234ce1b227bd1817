//! The stage of the ladders: a core between a scripted caller and a scripted peer, under a clock
//! that the script moves.

use crate::digest::authorization;
use signaling::access::{Access, Excess, FieldName, Rate, Rates, Strangers, Zone};
use signaling::counters::Counters;
use signaling::overload::OverloadSettings;
use signaling::sip::auth::Realm;
use signaling::sip::auth::answer::Account;
use signaling::sip::message::{Framing, HeaderName, Index, Limits, Message, Method};
use signaling::{
    Attempt, Choice, Core, Hop, Listener, ListenerId, Outcome, Output, Probe, ReferMode, Refusal,
    Settings, Statuses, Ticket, Timers, Transmit, Transport, Trouble,
};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

const OFFER: &str = "v=0\r\no=caller 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
/// What a video system offers: lines that nobody between the ends may touch.
const VIDEO: &str = "v=0\r\no=vcs 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nb=AS:6000\r\nt=0 0\r\n\
    m=audio 2326 RTP/AVP 0\r\nm=video 2328 RTP/AVP 97\r\nb=TIAS:5936000\r\na=content:main\r\n\
    m=application 5070 UDP/BFCP *\r\na=floorctrl:c-s\r\nm=video 2330 RTP/AVP 98\r\na=content:slides\r\n\
    m=application 2332 RTP/AVP 100\r\na=rtpmap:100 H224/4800\r\nm=application 2334 UDP/UDT/IX *\r\n\
    m=application 2336 UDP/DTLS/UDT/IX *\r\n";
/// A body of several parts, with line ends of its own.
const PARTS: &str = "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\n\r\n--x\r\n\
    Content-Type: application/octet-stream\r\n\r\n\u{0}\u{1}\r\r\n--x--\r\n";
/// The largest body that a VCS sends (TRUNK.md section 7).
static LARGEST: [u8; 32_768] = [b'x'; 32_768];
const FAST_UPDATE: &str = "<media_control><vc_primitive><to_encoder><picture_fast_update/>\
    </to_encoder></vc_primitive></media_control>";
/// A key that was pressed.
const DTMF: &str = "Signal=5\r\nDuration=160\r\n";
/// The peers, the first one first.
const PEERS: [(Side, &str); 3] = [
    (Side::Peer, "192.0.2.9:5080"),
    (Side::Peer2, "192.0.2.10:5080"),
    (Side::Peer3, "192.0.2.11:5080"),
];

/// The refusals that lead to the next peer (TRUNK.md section 4), and those that do at a bridge.
const FAILED: [u16; 5] = [408, 500, 502, 503, 504];
const BUSY: [u16; 3] = [480, 486, 600];

const ANSWER: &str = "v=0\r\no=peer 1 1 IN IP4 192.0.2.9\r\ns=-\r\n";

/// Plays the commands of a ladder file and returns the file as it should be.
pub(crate) fn play(name: &str, text: &str) -> String {
    let transactions_max = if text.contains("room for 4 transactions") {
        4
    } else {
        100
    };
    let mut stage = Stage::new(
        text.contains("over TCP"),
        transactions_max,
        (access(text), overload(text), refer(text)),
        if text.contains("room for one INVITE") {
            2_500
        } else {
            usize::MAX
        },
    );
    stage.shows_sessions = text.contains("ession timer");
    stage.text = text.to_owned();
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        out.push_str(line);
        out.push('\n');
        if !line.is_empty() && !line.starts_with('#') {
            // Baton's tag in the caller's dialog, for those who name it.
            let line = line.replace("{tag}", stage.dialog_tag(false).trim_start_matches(";tag="));
            // Baton's Via in the INVITE that a peer got.
            let line = line.replace("{via}", &stage.via_at_peer().replace(' ', "~"));
            let words: Vec<&str> = line.split_whitespace().collect();
            stage
                .command(&words)
                .unwrap_or_else(|why| panic!("{name}: `{line}`: {why}"));
        }
        out.push_str(&std::mem::take(&mut stage.ladder));
    }
    out
}

/// Plays a call in which everybody does anything at any time; what was played, and what was wrong.
pub(crate) fn riot(seed: u64) -> (String, Vec<String>) {
    let account = if seed.is_multiple_of(5) {
        "an account at the peer"
    } else {
        ""
    };
    let mut stage = Stage::new(
        seed.is_multiple_of(4),
        100,
        (
            access(account),
            overload(""),
            refer(if seed.is_multiple_of(3) {
                "a REFER ends here"
            } else {
                ""
            }),
        ),
        usize::MAX,
    );
    let mut state = seed;
    let mut below = |limit: usize| {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    };
    stage.peers = 1 + 2 * usize::from(seed.is_multiple_of(3));
    let openings = [
        "caller INVITE",
        "caller INVITE Supported:~timer,100rel Session-Expires:~600;refresher=uas",
        "caller INVITE delayed Supported:~100rel Allow:~UPDATE,INVITE",
    ];
    let mut script = vec![pick(&openings, below(3))];
    if below(3) > 0 {
        let answers = ["", " Session-Expires:~600;refresher=uac", " Allow:~UPDATE"];
        let answer = pick(&answers, below(3));
        script.extend([format!("peer 200{answer}"), "caller ACK".into()]);
        // A REFER that ends here would seldom come to its end by itself.
        if seed.is_multiple_of(3) && below(3) > 0 {
            let (refers, stays) = if below(2) == 0 {
                ("peer", "caller")
            } else {
                ("caller", "peer")
            };
            script.push(format!("{refers} REFER Refer-To:~<sip:else@example.com>"));
            script.extend((0..below(3)).map(|_| pick(&DEEDS, below(DEEDS.len()))));
            script.push("peer2 200".into());
            script.extend((0..below(2)).map(|_| pick(&DEEDS, below(DEEDS.len()))));
            script.push(format!("{stays} 200"));
        }
    }
    for _ in 0..10 + below(40) {
        script.push(pick(&DEEDS, below(DEEDS.len())));
    }
    script.extend(["caller BYE", "peer BYE", "wait 2000s", "quiet"].map(Into::into));
    let mut out = String::new();
    let mut wrong = Vec::new();
    for line in script {
        out.push_str(&line);
        out.push('\n');
        let words: Vec<&str> = line.split_whitespace().collect();
        // Who has nothing to answer, or to repeat, does nothing.
        let failed = stage.command(&words).err();
        wrong.extend(failed.filter(|_| line == "quiet"));
        out.push_str(&std::mem::take(&mut stage.ladder));
    }
    wrong.append(&mut stage.leaks);
    (out, wrong)
}

fn pick(words: &[&str], turn: usize) -> String {
    words.get(turn).copied().unwrap_or_default().to_owned()
}

/// What happens in a riot.
const DEEDS: [&str; 66] = [
    "caller ACK",
    "caller ACK re-INVITE",
    "caller ACK re-INVITE answer",
    "caller ACK re-INVITE of-refusal",
    "caller BYE",
    "caller CANCEL",
    "caller CANCEL re-INVITE",
    "caller INFO",
    "caller INVITE re-INVITE",
    "caller INVITE re-INVITE delayed Supported:~timer,100rel",
    "caller INVITE re-INVITE Supported:~timer Session-Expires:~900;refresher=uas",
    "caller PRACK RAck:~1~1~INVITE",
    "caller UPDATE",
    "caller UPDATE offer",
    "caller UPDATE Supported:~timer Session-Expires:~700",
    "caller REFER Refer-To:~<sip:else@example.com>",
    "peer REFER Refer-To:~<sip:else@example.com>",
    "peer2 180",
    "peer2 200",
    "peer2 486",
    "peer2 BYE",
    "peer2 200 to BYE",
    "peer2 422 Min-SE:~2400",
    "peer3 100",
    "peer3 200",
    "peer3 200 to BYE",
    "dead peer2",
    "held",
    "stays",
    "elsewhere",
    "peer 422 Min-SE:~2400",
    "caller again",
    "caller again",
    "caller 180",
    "caller 200",
    "caller 200 Session-Expires:~600;refresher=uac",
    "caller 488",
    "caller 491",
    "caller 200 to BYE",
    "caller 200 to INFO",
    "caller 200 to UPDATE answer",
    "peer ACK",
    "peer ACK of-refusal",
    "peer ACK answer",
    "peer CANCEL",
    "peer INFO",
    "peer INVITE",
    "peer INVITE offer",
    "peer UPDATE offer",
    "peer again",
    "peer again",
    "peer 100",
    "peer 183 answer Require:~100rel RSeq:~1",
    "peer 200",
    "peer 200",
    "peer 401 WWW-Authenticate:~Digest~realm=\"bridges\",nonce=\"n\"",
    "peer 401 to BYE WWW-Authenticate:~Digest~realm=\"bridges\",nonce=\"n\"",
    "peer 401 to INFO WWW-Authenticate:~Digest~realm=\"bridges\",nonce=\"n\"",
    "peer 401 to UPDATE WWW-Authenticate:~Digest~realm=\"bridges\",nonce=\"n\"",
    "peer 481",
    "peer 500",
    "peer 200 to BYE",
    "peer 200 to INFO",
    "peer 200 to UPDATE",
    "wait 400ms",
    "wait 20s",
];

/// Who may call, as the text of a ladder says it.
fn access(text: &str) -> Access {
    let has = |words: &str| text.contains(words);
    let limited = |per_second, burst| Rate { per_second, burst };
    let mut rates = Rates::default();
    if has("two strangers are told") {
        rates.refusals = limited(1, 2);
    }
    if has("two INVITEs at once") {
        rates.invites = limited(1, 2);
    }
    if has("one wrong guess") {
        rates.guesses = limited(1, 1);
    }
    if has("beyond it is dropped") {
        rates.excess = Excess::Drop;
    }
    let mut zone = Zone::new("vcs", vec!["192.0.2.0/29".parse().unwrap()]);
    if has("realm") {
        zone.realm = Some(Realm::new("baton.example.com", [("room", "secret")]));
    }
    if has("strips X-Secret") {
        zone.strip_headers = vec![FieldName::new("x-secret")];
    }
    if has("ignores Proxy-Require: example") {
        zone.strip_proxy_require = vec!["example".into()];
    }
    zone.trusts_identity = !has("trusts nobody");
    zone.strips_update = has("keeps UPDATE out");
    zone.refer = has("its zone refuses a REFER").then_some(ReferMode::Refuse);
    let strangers = if has("strangers are dropped") {
        Strangers::Drop
    } else if has("strangers are welcome") {
        Strangers::Allow
    } else {
        Strangers::Refuse
    };
    let mut zones = Vec::new();
    if has("zone 192.0.2.0/29") {
        zones.push(zone);
    }
    if has("a reload puts one in front") {
        zones.insert(
            0,
            Zone::new("front", vec!["198.51.100.0/24".parse().unwrap()]),
        );
    }
    let mut access = Access::new(zones, ["192.0.2.9".parse().unwrap()], strangers, rates);
    if has("an account at the peer") {
        let peer = ("192.0.2.9:5080".parse().unwrap(), None);
        let account = Account::new("bridges", peer, ("baton", "secret"));
        access.accounts = vec![account];
    }
    access
}

/// What becomes of a REFER, as the text of a ladder says it.
fn refer(text: &str) -> ReferMode {
    if text.contains("REFER is refused") {
        ReferMode::Refuse
    } else if text.contains("REFER ends here") {
        ReferMode::Terminate
    } else {
        ReferMode::Forward
    }
}

/// How much is too much, as the text of a ladder says it.
fn overload(text: &str) -> OverloadSettings {
    let mut overload = OverloadSettings::default();
    if text.contains("two refusals at once") {
        overload.refusals = Rate {
            per_second: 1,
            burst: 2,
        };
    }
    if text.contains("one call at once") {
        overload.invites = Rate {
            per_second: 1,
            burst: 1,
        };
    }
    overload
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Caller,
    Peer,
    Peer2,
    Peer3,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Peer => "peer",
            Self::Peer2 => "peer2",
            Self::Peer3 => "peer3",
        }
    }

    /// The side that a command names.
    fn of(word: &str) -> Option<Self> {
        [Self::Caller, Self::Peer, Self::Peer2, Self::Peer3]
            .into_iter()
            .find(|side| side.name() == word)
    }

    fn address(self) -> &'static str {
        let peer = PEERS.iter().find(|(side, _)| *side == self);
        peer.map_or("192.0.2.1:5060", |(_, address)| address)
    }
}

struct Stage {
    core: Core,
    counters: Arc<Counters>,
    base: Instant,
    now: Instant,
    ladder: String,
    transport: Transport,
    /// The last message of each kind that came to a side, such as "INVITE" or "BYE".
    got: HashMap<(u8, String), Vec<u8>>,
    /// What each side sent last, for `again`.
    sent: HashMap<u8, Vec<u8>>,
    choice: Choice<'static>,
    /// How many peers there are to choose.
    peers: usize,
    /// Whether the ladder tells what came of each attempt.
    accepted: Option<Attempt>,
    tells_attempts: bool,
    /// Attempts that were chosen for and are not over.
    open: HashSet<Attempt>,
    /// What names an attempt on the wire, and at which peer it is used.
    names: HashMap<String, Side>,
    /// Of the last message that went to a side.
    tickets: HashMap<u8, Ticket>,
    branches: u32,
    caller_cseq: u32,
    peer_cseq: u32,
    /// Of the last INVITE of the caller, and of the peer.
    invite_branches: [String; 2],
    leaks: Vec<String>,
    shows_sessions: bool,
    /// The ladder.
    text: String,
}

impl Stage {
    fn new(
        tcp: bool,
        transactions_max: usize,
        (access, overload, refer): (Access, OverloadSettings, ReferMode),
        kept_octets_max: usize,
    ) -> Self {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let settings = Settings {
            worker: 0,
            workers: 1,
            secret: [11, 22],
            timers: Timers::default(),
            calls_max: 10,
            transactions_max,
            exchanges_max: 10,
            exchanges_per_call_max: 3,
            session: signaling::SessionTimes::default(),
            refer,
            listeners: vec![Listener {
                transport,
                local: "192.0.2.5:5060".parse().unwrap(),
                advertised: "192.0.2.5:5060".into(),
            }],
            kept_octets_max,
            access: Arc::new(access),
            overload,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the stage needs one real instant to start from"
        )]
        let base = Instant::now();
        let counters = Arc::new(Counters::default());
        Self {
            core: Core::new(Arc::new(settings), Arc::clone(&counters), base),
            counters,
            base,
            now: base,
            ladder: String::new(),
            transport,
            got: HashMap::new(),
            sent: HashMap::new(),
            choice: Choice {
                awaits_confirmation: false,
                connect_patience: Duration::from_secs(1),
                peer: 0,
                request_uri: None,
                transport,
                remote: Side::Peer.address().parse().unwrap(),
                patience: Duration::from_secs(2),
                attempts_max: 3,
                next_on: Statuses::of(&[&FAILED[..], &BUSY[..]].concat()),
            },
            peers: 1,
            tells_attempts: false,
            accepted: None,
            open: HashSet::new(),
            names: HashMap::new(),
            tickets: HashMap::new(),
            branches: 0,
            caller_cseq: 1,
            peer_cseq: 0,
            invite_branches: [String::new(), String::new()],
            leaks: Vec::new(),
            shows_sessions: false,
            text: String::new(),
        }
    }

    fn command(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["wait", time] => self.wait(duration(time)?),
            ["no", "peer"] => self.peers = 0,
            ["peers", count] => {
                self.peers = count.parse().map_err(|_| "no number of peers")?;
                self.tells_attempts = true;
            }
            ["attempts", most] => {
                self.choice.attempts_max = most.parse().map_err(|_| "no number of attempts")?;
            }
            // The owner wants to be asked whether a call stays where it was answered, and says so.
            ["held"] => self.choice.awaits_confirmation = true,
            [word @ ("elsewhere" | "stays")] => self.confirm(*word == "stays")?,
            ["busy", "is", "final"] => self.choice.next_on = Statuses::of(&FAILED),
            ["drain"] => self.core.drain(),
            ["load", waited, "for", time] => self.load(duration(waited)?, duration(time)?),
            ["probe", side] => self.probe(side)?,
            ["unreachable", side] => self.unreachable(side)?,
            // The owner finds a peer dead.
            ["dead", side] => {
                let side = Side::of(side).ok_or("no such side")?;
                self.core.handle_peer_failed(self.now, side as u32 - 1);
                self.drain_outputs();
            }
            ["reload"] => self.reload(),
            ["quiet"] => self.check_quiet()?,
            ["lines", side, name] => self.lines(side, None, name)?,
            ["lines", side, kind, name] => self.lines(side, Some(&kind.replace('~', " ")), name)?,
            ["counted", name] => self.counted(name)?,
            ["stranger", what, details @ ..] => {
                let bytes = match details {
                    ["as", "peer"] => self.peer_sends(Side::Peer, what, &[])?,
                    _ => self.caller_sends(what, details)?,
                };
                self.hear("192.0.2.66:5060", &bytes);
            }
            ["peer-host", what, details @ ..] => {
                let bytes = self.caller_sends(what, details)?;
                if details.contains(&"broken") {
                    let broken = text(&bytes).replace("CSeq: ", "CSeq: x");
                    self.hear("192.0.2.9:5066", broken.as_bytes());
                } else {
                    self.hear("192.0.2.9:5066", &bytes);
                }
            }
            // Somebody else in the zone of the caller.
            ["neighbour", what, details @ ..] => {
                let bytes = self.caller_sends(what, details)?;
                self.note(&format!("{what} of a neighbour, 192.0.2.2"));
                self.hear("192.0.2.2:5060", &bytes);
            }
            [side, "again"] => self.again(Side::of(side).ok_or("no such side")?)?,
            [side, what, details @ ..] => {
                let side = Side::of(side).ok_or("no such side")?;
                let bytes = match side {
                    Side::Caller => self.caller_sends(what, details)?,
                    Side::Peer | Side::Peer2 | Side::Peer3 => {
                        self.peer_sends(side, what, details)?
                    }
                };
                self.deliver(side, &bytes);
            }
            _ => return Err("no such command".into()),
        }
        if self.leaks.is_empty() {
            Ok(())
        } else {
            Err(self.leaks.join("; "))
        }
    }

    /// The oldest message has waited so long, for so long.
    fn load(&mut self, waited: Duration, time: Duration) {
        self.core.handle_load(self.now, waited, false);
        self.wait(time);
        self.core.handle_load(self.now, waited, false);
    }

    /// A zone is put in front of the others.
    fn reload(&mut self) {
        let mut settings = (**self.core.settings()).clone();
        let access = access(&format!("{} a reload puts one in front", self.text));
        settings.access = Arc::new(access.after(&settings.access));
        self.core.handle_settings(self.now, Arc::new(settings));
    }

    fn probe(&mut self, side: &str) -> Result<(), String> {
        let side = Side::of(side).ok_or("no such side")?;
        let remote = side.address().parse();
        let probe = Probe {
            connect_patience: Duration::from_secs(1),
            peer: side as u32 - 1,
            transport: self.transport,
            remote: remote.map_err(|_| "no address")?,
            patience: Duration::from_secs(2),
        };
        self.core.handle_probe(self.now, probe);
        self.drain_outputs();
        Ok(())
    }

    fn check_quiet(&mut self) -> Result<(), String> {
        let occupancy = self.core.occupancy();
        if occupancy != [0; 5] {
            return Err(format!(
                "not quiet: calls, clients, servers, timers, exchanges = {occupancy:?}"
            ));
        }
        if self.core.attempts() != 0 || !self.open.is_empty() {
            return Err(format!("attempts are not over: {:?}", self.open));
        }
        self.note("quiet: nothing is left");
        Ok(())
    }

    fn counted(&mut self, name: &str) -> Result<(), String> {
        let mut counters = self.counters.each();
        let value = counters.find(|(counter, _)| *counter == name);
        let value = value.ok_or("no such counter")?.1;
        drop(counters);
        self.note(&format!("{name} = {value}"));
        Ok(())
    }

    /// Which lines of a name came to a side with the last INVITE, or what made its dialog.
    fn lines(&mut self, side: &str, kind: Option<&str>, name: &str) -> Result<(), String> {
        let side = Side::of(side).unwrap_or(Side::Peer);
        let usual = if side == Side::Caller {
            "dialog"
        } else {
            "INVITE"
        };
        let kind = kind.unwrap_or(usual);
        let bytes = self.got.get(&(side as u8, kind.into()));
        let all = text(bytes.ok_or("no such message came")?);
        let lines: Vec<&str> = all.lines().filter(|line| line.starts_with(name)).collect();
        self.note(&format!("{} of {name}: {}", lines.len(), lines.join(" | ")));
        Ok(())
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.core.handle_timeout(self.now);
            self.drain_outputs();
        }
        self.now = until;
        self.core.handle_timeout(self.now);
        self.drain_outputs();
    }

    fn unreachable(&mut self, side: &str) -> Result<(), String> {
        let side = Side::of(side).ok_or("no such side")?;
        let ticket = self.tickets.get(&(side as u8)).copied();
        let ticket = ticket.ok_or("nothing was sent to the peer")?;
        self.core
            .handle_transport_error(self.now, ticket, Trouble::Refused);
        self.drain_outputs();
        Ok(())
    }

    fn again(&mut self, side: Side) -> Result<(), String> {
        let bytes = self
            .sent
            .get(&(side as u8))
            .cloned()
            .ok_or("nothing was sent")?;
        self.deliver(side, &bytes);
        Ok(())
    }

    fn deliver(&mut self, side: Side, bytes: &[u8]) {
        self.sent.insert(side as u8, bytes.to_vec());
        let mut index = Index::new(Limits::default());
        let message = index.read(bytes, Framing::Datagram);
        assert_eq!(message.fault(), None, "{}", String::from_utf8_lossy(bytes));
        let arrow = self.arrow(&message);
        self.draw(side, true, &arrow);
        self.hear(side.address(), bytes);
    }

    fn hear(&mut self, from: &str, bytes: &[u8]) {
        let mut index = Index::new(Limits::default());
        let message = index.read(bytes, Framing::Datagram);
        let source = Hop {
            transport: self.transport,
            listener: ListenerId(0),
            remote: from.parse().unwrap(),
            connection: None,
            identity: None,
        };
        self.core.handle_message(self.now, source, &message);
        self.drain_outputs();
    }

    fn drain_outputs(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Attempted(attempt, outcome) => self.attempted(attempt, outcome),
                Output::Choose(attempt) => self.choose(attempt),
                Output::Lookup(key) => {
                    let (uri, _) = self.core.lookup(key).unwrap();
                    let is_served = uri == b"sip:meet.room@example.com";
                    let answer = is_served.then_some(()).ok_or(Refusal::AliasUnknown);
                    self.core.handle_lookup(key, answer);
                }
                Output::Probed(peer, outcome) => {
                    let outcome = told(outcome);
                    self.note(&format!("probe of peer {}: {outcome}", peer + 1));
                }
                Output::Ended(ending) => {
                    self.note(&format!(
                        "call over, {}",
                        if ending.answered {
                            "answered"
                        } else {
                            "not answered"
                        }
                    ));
                }
                Output::Send(transmit) => self.transmitted(transmit),
            }
        }
        self.core.sent();
    }

    /// The first peer that was not tried.
    fn choose(&mut self, attempt: Attempt) {
        let question = self.core.question(attempt.call).unwrap();
        // Whoever is somebody else is at the second peer.
        let first = usize::from(question.request_uri.starts_with(b"sip:else"));
        let untried = PEERS.iter().zip(0..).take(self.peers).skip(first);
        let next = untried
            .map(|((side, _), peer)| (peer, side.address()))
            .filter(|(peer, _)| !question.tried.contains(peer))
            .find(|(_, address)| {
                let replaced = question.replaced.map(|replaced| replaced.hop.remote);
                let at = replaced.or(question.redirect).map(|at| at.to_string());
                at.is_none_or(|at| at == **address)
            });
        let choice = next
            .ok_or(Refusal::NoCapacity)
            .map(|(peer, remote)| Choice {
                peer,
                remote: remote.parse().unwrap(),
                ..self.choice
            });
        if choice.is_ok() {
            assert!(self.open.insert(attempt), "each attempt is chosen for once");
        } else if self.tells_attempts {
            self.note(&format!("no peer for attempt {}", attempt.number + 1));
        }
        self.core.handle_choice(self.now, attempt, choice);
    }

    fn confirm(&mut self, stays: bool) -> Result<(), String> {
        let attempt = self.accepted.ok_or("no peer accepted")?;
        let mut index = Index::new(Limits::default());
        self.core
            .handle_confirmation(self.now, attempt, stays, &mut index);
        self.drain_outputs();
        Ok(())
    }

    fn attempted(&mut self, attempt: Attempt, outcome: Outcome) {
        if outcome == Outcome::Accepted {
            self.accepted = Some(attempt);
        }
        if outcome == Outcome::Over {
            assert!(self.open.remove(&attempt), "an attempt is over once");
        } else {
            assert!(self.open.contains(&attempt), "what is over has no outcome");
        }
        if self.tells_attempts {
            let outcome = told(outcome);
            self.note(&format!("attempt {}: {outcome}", attempt.number + 1));
        }
    }

    fn transmitted(&mut self, transmit: Transmit) {
        let bytes = self.core.bytes(transmit.span).to_vec();
        let mut index = Index::new(Limits::default());
        let message = index.read(&bytes, Framing::Datagram);
        let side = match transmit.hop.remote.to_string().as_str() {
            "192.0.2.1:5060" => Side::Caller,
            "192.0.2.9:5080" => Side::Peer,
            "192.0.2.10:5080" => Side::Peer2,
            "192.0.2.11:5080" => Side::Peer3,
            "192.0.2.66:5060" | "192.0.2.66:5080" => {
                return self.note(&format!("the stranger hears {}", message.status()));
            }
            "192.0.2.9:5066" => {
                return self.note(&format!("the peer's host hears {}", message.status()));
            }
            "192.0.2.2:5060" => {
                return self.note(&format!("the neighbour hears {}", message.status()));
            }
            other => panic!(
                "a message went to {other}:\n{}",
                String::from_utf8_lossy(&bytes)
            ),
        };
        self.leaks.extend(check(side, &message));
        if message.method() == Method::Invite && message.is_request() {
            self.check_names(side, &message);
        }
        let arrow = self.arrow(&message);
        self.draw(side, false, &arrow);
        if let Some(ticket) = transmit.ticket {
            self.tickets.insert(side as u8, ticket);
        }
        let kind = if message.is_request() {
            String::from_utf8_lossy(message.method_text()).into_owned()
        } else {
            format!(
                "{} {}",
                message.status(),
                String::from_utf8_lossy(message.cseq_method_text())
            )
        };
        if message.is_response()
            && message.cseq_method() == Method::Invite
            && (101..300).contains(&message.status())
        {
            self.got
                .insert((side as u8, "dialog".into()), bytes.clone());
        }
        if message.is_request() && message.method() == Method::Invite && message.to_tag().is_none()
        {
            self.got
                .insert((side as u8, "first INVITE".into()), bytes.clone());
        }
        self.got.insert((side as u8, kind), bytes);
    }

    /// TRUNK.md section 5 rule 8: each candidate has a branch, Call-ID and tag of its own.
    fn check_names(&mut self, side: Side, message: &Message<'_>) {
        let names = [
            message.branch().unwrap_or_default(),
            message.call_id(),
            message.from_tag().unwrap_or_default(),
        ];
        for name in names {
            let at = *self.names.entry(text(name)).or_insert(side);
            if at != side {
                self.leaks
                    .push(format!("{} is used at two peers", text(name)));
            }
        }
    }

    /// What stands on an arrow; with session timers, what is said about them.
    fn arrow(&self, message: &Message<'_>) -> String {
        let plain = arrow(message);
        let expires = message.header(HeaderName::SessionExpires);
        match expires.filter(|_| self.shows_sessions) {
            Some(expires) => {
                let terms = text(expires).replace(";refresher=", "-");
                format!("{plain}-SE-{terms}")
            }
            None => plain,
        }
    }

    fn draw(&mut self, side: Side, towards_baton: bool, arrow: &str) {
        let at = self.now.duration_since(self.base).as_millis();
        let (seconds, millis) = (at / 1000, at % 1000);
        let line = match (side, towards_baton) {
            (Side::Caller, true) => format!("caller --{arrow:-<32}> baton"),
            (Side::Caller, false) => format!("caller <{arrow:-<32}-- baton"),
            (_, false) => format!("{:41} baton --{arrow:-<32}> {}", "", side.name()),
            (_, true) => format!("{:41} baton <{arrow:-<32}-- {}", "", side.name()),
        };
        writeln!(self.ladder, "    {seconds:>3}.{millis:03}  {line}").unwrap();
    }

    fn note(&mut self, text: &str) {
        writeln!(self.ladder, "             * {text}").unwrap();
    }

    fn branch(&mut self, side: Side) -> String {
        self.branches += 1;
        let letter = if side == Side::Caller { 'c' } else { 'p' };
        format!("z9hG4bK{letter}{}", self.branches)
    }

    /// What the caller sends. `to=` of a dialog is the tag of Baton's last answer.
    fn caller_sends(&mut self, what: &str, details: &[&str]) -> Result<Vec<u8>, String> {
        if let Ok(status) = what.parse::<u16>() {
            return self.answer(Side::Caller, status, details);
        }
        let has = |word: &str| details.contains(&word);
        let in_dialog = !matches!(what, "CANCEL" | "INVITE" | "OPTIONS")
            || has("re-INVITE")
            || has("in-dialog");
        let to = if in_dialog {
            self.dialog_tag(has("forged"))
        } else {
            String::new()
        };
        let of_first = matches!(what, "ACK" | "CANCEL" | "INVITE") && !has("re-INVITE");
        self.caller_cseq += u32::from(!of_first && !matches!(what, "ACK" | "CANCEL"));
        let is_of_invite = what == "CANCEL" || has("of-refusal");
        let branch = match is_of_invite {
            true if of_first => "z9hG4bKc1".into(),
            true => self.invite_branches[0].clone(),
            false => self.branch(Side::Caller),
        };
        if what == "INVITE" {
            self.invite_branches[0].clone_from(&branch);
        }
        let cseq = if of_first { 1 } else { self.caller_cseq };
        let cseq = number(details, "CSeq=").unwrap_or(cseq);
        if what == "INVITE" {
            self.caller_cseq = cseq;
        }
        let body = match what {
            _ if has_special_body(details) => special_body(details),
            "INVITE" if !has("delayed") => OFFER,
            "ACK" if has("answer") => OFFER,
            _ if has("offer") => OFFER,
            "INFO" => FAST_UPDATE,
            _ => "",
        };
        let uri = dialled(in_dialog, details);
        let mut extra = extra_lines(details);
        // An answer to the last challenge.
        if let Some(password) = details
            .iter()
            .find_map(|word| word.strip_prefix("password="))
        {
            let refusal = self.got.get(&(Side::Caller as u8, "401 INVITE".into()));
            let refusal = refusal.ok_or("nobody asked who the caller is")?;
            let count = number(details, "nc=").unwrap_or(1);
            extra.push_str(&authorization(refusal, count, password));
        }
        let kind = content_type(body);
        let transport = self.transport;
        // RFC 3261 §7.3.1: a line may go on behind white space.
        let fold = if has("folded") { "\r\n " } else { " " };
        let contact = if has("bad-Contact") {
            "*"
        } else {
            "<sip:room@192.0.2.1:5060>"
        };
        Ok(format!(
            "{what} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} 192.0.2.1:5060;branch={branch};rport\r\n\
             Max-Forwards: 15\r\n\
             From: \"Room 1\"{fold}<sip:room@example.com>;tag=callertag\r\n\
             To: <sip:meet.room@example.com>{to}\r\n\
             Call-ID: callers-call-id\r\nCSeq: {cseq} {what}\r\n\
             Contact: {contact}\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes())
    }

    fn via_at_peer(&self) -> String {
        let invite = self.got.get(&(Side::Peer as u8, "INVITE".into()));
        let text = invite.map(|bytes| text(bytes)).unwrap_or_default();
        let via = text.lines().find_map(|line| line.strip_prefix("Via: "));
        via.unwrap_or_default().to_owned()
    }

    /// The To parameter of the dialog that Baton's last answer to the caller made.
    fn dialog_tag(&self, is_forged: bool) -> String {
        let answer = self.got.get(&(Side::Caller as u8, "dialog".into()));
        let Some(tag) = answer.map(|bytes| to_tag(bytes)) else {
            return String::new();
        };
        let tag = if is_forged {
            tag.replace(|c: char| c.is_ascii_digit(), "q")
        } else {
            tag
        };
        format!(";tag={tag}")
    }

    /// What a peer sends.
    fn peer_sends(&mut self, side: Side, what: &str, details: &[&str]) -> Result<Vec<u8>, String> {
        if let Ok(status) = what.parse::<u16>() {
            return self.answer(side, status, details);
        }
        let invite = self
            .got
            .get(&(side as u8, "first INVITE".into()))
            .cloned()
            .ok_or("the peer got no INVITE")?;
        let mut index = Index::new(Limits::default());
        let invite = index.read(&invite, Framing::Datagram);
        let address = side.address();
        let branch = if what == "CANCEL" || details.contains(&"of-refusal") {
            self.invite_branches[1].clone()
        } else {
            self.branch(side)
        };
        if what == "INVITE" {
            self.invite_branches[1].clone_from(&branch);
        }
        self.peer_cseq += u32::from(!matches!(what, "ACK" | "CANCEL"));
        let cseq = number(details, "CSeq=").unwrap_or(self.peer_cseq);
        let body = match what {
            _ if has_special_body(details) => special_body(details),
            _ if details.contains(&"offer") || details.contains(&"answer") => ANSWER,
            "INFO" => FAST_UPDATE,
            _ => "",
        };
        let kind = content_type(body);
        let extra = extra_lines(details);
        Ok(format!(
            "{what} sip:x@192.0.2.5:5060 SIP/2.0\r\nVia: SIP/2.0/{} {address};branch={branch}\r\nMax-Forwards: 70\r\n\
             From: {};tag=peertag\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {what}\r\n\
             Contact: <sip:bridge@{address}>\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            self.transport,
            text(invite.to()),
            text(invite.from()),
            text(invite.call_id()),
            body.len()
        )
        .into_bytes())
    }

    /// An answer to the last request that Baton sent to this side; `to BYE` names another one.
    fn answer(&self, side: Side, status: u16, details: &[&str]) -> Result<Vec<u8>, String> {
        let method = match details {
            ["to", method, ..] => *method,
            _ => "INVITE",
        };
        let request = self
            .got
            .get(&(side as u8, method.into()))
            .cloned()
            .ok_or("no such request came")?;
        let mut index = Index::new(Limits::default());
        let request = index.read(&request, Framing::Datagram);
        let tag = details
            .iter()
            .find_map(|detail| detail.strip_prefix("tag="))
            .unwrap_or("peertag");
        let to = match request.to_tag() {
            Some(_) => text(request.to()),
            None if status == 100 || details.contains(&"without-tag") => text(request.to()),
            None => format!("{};tag={tag}", text(request.to())),
        };
        let is_success = (200..300).contains(&status);
        let has_body = details.contains(&"answer")
            || (is_success && method == "INVITE" && !details.contains(&"no-body"));
        let body = match side {
            _ if has_special_body(details) => special_body(details),
            Side::Caller if has_body => OFFER,
            Side::Peer | Side::Peer2 | Side::Peer3 if has_body => ANSWER,
            Side::Caller | Side::Peer | Side::Peer2 | Side::Peer3 => "",
        };
        let vias: String = request
            .headers(HeaderName::Via)
            .map(|via| format!("Via: {}\r\n", text(via)))
            .collect();
        let is_of_target = matches!(method, "INVITE" | "UPDATE") && status < 300;
        let user = if side == Side::Caller {
            "room"
        } else {
            "bridge"
        };
        let contact = if is_of_target {
            let focus = if details.contains(&"focus") {
                ";isfocus"
            } else {
                ""
            };
            format!("Contact: <sip:{user}@{}>{focus}\r\n", side.address())
        } else {
            String::new()
        };
        let kind = content_type(body);
        let extra = extra_lines(details);
        Ok(format!(
            "SIP/2.0 {status} Reason {status}\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n{contact}{extra}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            text(request.from()),
            text(request.call_id()),
            request.cseq(),
            text(request.cseq_method_text()),
            body.len()
        )
        .into_bytes())
    }
}

/// The Request-URI of what the caller sends.
fn dialled(in_dialog: bool, details: &[&str]) -> &'static str {
    if in_dialog {
        "sip:x@192.0.2.5:5060"
    } else if details.contains(&"to-us") {
        "sip:192.0.2.5:5060"
    } else if details.contains(&"to-nobody") {
        "sip:nobody@example.com"
    } else {
        "sip:meet.room@example.com"
    }
}

fn told(outcome: Outcome) -> String {
    match outcome {
        Outcome::Accepted => "accepted".into(),
        Outcome::Answered {
            status,
            retry_after: None,
        } => format!("answered with {status}"),
        Outcome::Answered {
            status,
            retry_after: Some(wait),
        } => format!("answered with {status} for {wait:?}"),
        Outcome::Over => "over".into(),
        Outcome::Silent => "silent".into(),
        Outcome::Unreachable(_) => "unreachable".into(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn to_tag(bytes: &[u8]) -> String {
    let mut index = Index::new(Limits::default());
    text(
        index
            .read(bytes, Framing::Datagram)
            .to_tag()
            .unwrap_or_default(),
    )
}

fn has_special_body(details: &[&str]) -> bool {
    !special_body(details).is_empty()
}

fn special_body(details: &[&str]) -> &'static str {
    let largest = std::str::from_utf8(&LARGEST).unwrap();
    let bodies = [
        ("video", VIDEO),
        ("parts", PARTS),
        ("largest", largest),
        ("dtmf", DTMF),
    ];
    let named = bodies.iter().find(|(name, _)| details.contains(name));
    named.map_or("", |(_, body)| body)
}

fn content_type(body: &str) -> &'static str {
    match body {
        "" => "",
        FAST_UPDATE => "Content-Type: application/media_control+xml\r\n",
        DTMF => "Content-Type: application/dtmf-relay\r\n",
        _ if body.as_bytes() == LARGEST => "Content-Type: application/octet-stream\r\n",
        PARTS => "Content-Type: multipart/mixed;boundary=x\r\nMIME-Version: 1.0\r\n",
        _ => "Content-Type: application/sdp\r\n",
    }
}

/// Header lines among the details; `~` stands for a space.
fn extra_lines(details: &[&str]) -> String {
    let lines = details.iter().filter(|detail| detail.contains(':'));
    lines
        .map(|line| format!("{}\r\n", line.replace('~', " ")))
        .collect()
}

fn number(details: &[&str], name: &str) -> Option<u32> {
    let value = details.iter().find_map(|detail| detail.strip_prefix(name));
    value.and_then(|value| value.parse().ok())
}

fn duration(word: &str) -> Result<Duration, String> {
    let millis = word
        .strip_suffix("ms")
        .and_then(|number| number.parse().ok())
        .map(Duration::from_millis);
    millis
        .or_else(|| {
            word.strip_suffix('s')?
                .parse()
                .ok()
                .map(Duration::from_secs)
        })
        .ok_or_else(|| "a time is 500ms or 32s".into())
}

/// What stands on an arrow: method or status with the method it answers, CSeq, and what kind of
/// body.
fn arrow(message: &Message<'_>) -> String {
    let body = match message.body() {
        b"" => "",
        body if body == OFFER.as_bytes() => "+caller's-SDP",
        body if body == ANSWER.as_bytes() => "+peer's-SDP",
        body if body == FAST_UPDATE.as_bytes() => "+fast-update",
        body if body == LARGEST => "+largest",
        body if body.starts_with(b"SIP/2.0 ") => {
            return format!(
                "{}({})-{}",
                text(message.method_text()),
                message.cseq(),
                text(body.get(8..11).unwrap_or_default())
            );
        }
        body if body == PARTS.as_bytes() => "+parts",
        body if body == VIDEO.as_bytes() => "+video",
        body if body == DTMF.as_bytes() => "+dtmf",
        _ => "+another-body",
    };
    let rack = message
        .header(HeaderName::Rack)
        .map(|rack| format!("-RAck-{}", text(rack)));
    let rseq = message
        .header(HeaderName::Rseq)
        .map(|rseq| format!("-RSeq-{}", text(rseq)));
    let body = format!(
        "{}{body}",
        rack.or(rseq).unwrap_or_default().replace(' ', "-")
    );
    if message.is_request() {
        format!("{}({}){body}", text(message.method_text()), message.cseq())
    } else {
        format!(
            "{}({}-{}){body}",
            message.status(),
            message.cseq(),
            text(message.cseq_method_text())
        )
    }
}

/// What holds for every message that Baton sends.
fn check(side: Side, message: &Message<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(fault) = message.fault() {
        wrong.push(format!("it sent a message with a fault: {fault}"));
    }
    let all = text(message.bytes());
    let mut require = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{what}:\n{all}"));
        }
    };
    let foreign = match side {
        Side::Caller => ["peertag", "192.0.2.9:5080;branch", "bridge@"],
        Side::Peer | Side::Peer2 | Side::Peer3 => ["callertag", "callers-call-id", "z9hG4bKc"],
    };
    for text in foreign {
        require(!all.contains(text), "the other leg shows");
    }
    if message.is_request() {
        require(
            message.headers(HeaderName::Via).count() == 1,
            "a request of ours has one Via",
        );
        require(
            message.max_forwards().is_some_and(|hops| hops > 0),
            "Max-Forwards is there",
        );
    }
    if message.method() == Method::Invite
        && (message.is_request() || (101..300).contains(&message.status()))
    {
        require(
            message.header(HeaderName::Contact).is_some(),
            "what makes a dialog has a Contact",
        );
    }
    if message.is_response() && message.status() > 100 {
        require(message.to_tag().is_some(), "an answer has a To tag");
    }
    wrong
}
