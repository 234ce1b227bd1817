//! Every metric that a node exports: its name, kind, labels and meaning, and nowhere else.
//!
//! Names and labels are an interface: they change only with a major version. A label never has
//! values without bound: no caller, no Call-ID, no address. `docs/metrics.md` says the same for
//! those who read the figures; a test compares the two.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often a value fell into each range.
    Histogram,
    /// A fact, told by its labels.
    Info,
}

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// As it is exported.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                help: $help,
                labels: &[$($label),*],
            };
        )*

        /// All of them.
        pub static ALL: &[&Metric] = &[$(&$constant),*];
    };
}

metrics! {
    BUILD_INFO: Info "baton_build_info" ["version", "revision"]
        "What was built.";
    NODE_INFO: Info "baton_node_info" ["node"]
        "The name of the node.";
    NODE_DRAINING: Gauge "baton_node_draining" []
        "Whether the node takes no new calls.";
    NODE_READY: Gauge "baton_node_ready" []
        "Whether /readyz answers 200.";

    SIP_MESSAGES: Counter "baton_sip_messages_total" ["direction"]
        "SIP messages received and sent, of whatever quality.";
    SIP_RETRANSMISSIONS: Counter "baton_sip_retransmissions_total" ["direction"]
        "SIP messages that had been received or sent before.";
    SIP_REQUESTS: Counter "baton_sip_requests_total" ["method", "transport", "direction"]
        "SIP requests received and sent.";
    SIP_RESPONSES: Counter "baton_sip_responses_total" ["method", "class", "transport", "direction"]
        "SIP responses received and sent.";
    SIP_PARSE_ERRORS: Counter "baton_sip_parse_errors_total" ["reason"]
        "Messages with a fault, by the first one found.";
    SIP_TRANSACTION_DURATION: Histogram "baton_sip_transaction_duration_seconds" ["method"]
        "Time from a request to its final answer.";
    SIP_TRANSACTIONS: Gauge "baton_sip_transactions" ["kind"]
        "Transactions that live.";
    SIP_REJECTED: Counter "baton_sip_rejected_total" []
        "Requests refused with a final answer of the node's own.";
    SIP_TRANSPORT_ERRORS: Counter "baton_sip_transport_errors_total" []
        "SIP messages that could not be sent.";
    SIP_EVENTS: Counter "baton_sip_events_total" ["event"]
        "What else happened to SIP messages and calls.";

    CALLS: Gauge "baton_calls_live" []
        "Calls that live.";
    CALL_SETUP: Histogram "baton_call_setup_seconds" []
        "Time from an INVITE to the first ringing or answer that goes to its caller.";
    DIALOGS: Gauge "baton_dialogs" ["state"]
        "Dialogs with callers, before and after the 2xx.";
    CALLS_TOTAL: Counter "baton_calls_total" ["event"]
        "Calls begun, answered, failed before an answer, and ended.";

    CONFERENCES: Gauge "baton_conferences" []
        "Conferences that run or are being set up.";
    LEASES: Gauge "baton_leases" []
        "Places that are held for calls that were decided for others and have not come yet.";
    PATTERN_GIVE_UPS: Counter "baton_alias_pattern_give_ups_total" []
        "How often the pattern of an alias took too many steps, so that it counted as no match.";

    PEER_UP: Gauge "baton_peer_up" ["peer"]
        "Whether a peer is in service.";
    PEER_STATE: Gauge "baton_peer_state" ["peer", "state"]
        "1 for the state that a peer is in.";
    PEER_OPERATOR: Gauge "baton_peer_operator" ["peer", "wanted"]
        "1 for what the operator wants of a peer.";
    PEER_SELECTED: Counter "baton_peer_selected_total" ["peer", "reason"]
        "How often a peer was chosen.";
    FAILOVERS: Counter "baton_failovers_total" ["peer", "cause"]
        "Calls that had to leave a peer.";
    PEER_LOAD_AGE: Gauge "baton_peer_load_age_seconds" ["peer"]
        "Age of what a peer last reported of itself.";
    SESSION_DRIFT: Gauge "baton_session_drift" ["peer"]
        "Sessions that a peer reports minus those that were counted.";
    PEER_SESSIONS: Gauge "baton_peer_sessions" ["peer"]
        "Sessions in use on a peer, the reserved ones too.";
    PEER_SESSIONS_ELSEWHERE: Gauge "baton_peer_sessions_elsewhere" ["peer"]
        "Sessions of a peer that other members of the cluster use, as they say.";
    PEER_SESSIONS_RESERVED: Gauge "baton_peer_sessions_reserved" ["peer"]
        "Sessions of a peer that were chosen and not yet confirmed by an answer.";
    PEER_SESSION_LIMIT: Gauge "baton_peer_session_limit" ["peer"]
        "Sessions that a peer has room for.";

    MEMBER_STATE: Gauge "baton_member_state" ["member", "state"]
        "1 for the state that another member of the cluster is in.";
    MEMBER_AGE: Gauge "baton_member_age_seconds" ["member"]
        "Age of the last update of a member.";
    MEMBER_CONFLICT: Gauge "baton_member_conflict" ["member"]
        "Whether a member's configuration of bandwidth differs, so that it is not heard.";
    MEMBER_UPDATES: Counter "baton_member_updates_total" ["outcome"]
        "Updates told to members and heard from them.";

    DNS_QUESTIONS: Counter "baton_dns_questions_total" ["type"]
        "Questions to the name service.";
    DNS_ANSWERS: Counter "baton_dns_answers_total" ["outcome"]
        "What came of questions to the name service.";
    DNS_ANSWER_AGE: Gauge "baton_dns_last_answer_age_seconds" []
        "Age of the last answer of the name service.";
    DNS_TARGETS: Gauge "baton_dns_targets" ["peer"]
        "Addresses that the name of a peer, or of a set of peers, leads to.";
    DNS_STALE: Gauge "baton_dns_stale" ["peer"]
        "Whether an old answer is used because the name service does not answer.";

    DROPPED: Counter "baton_dropped_total" ["where", "why"]
        "What was dropped deliberately, or by the kernel for want of room.";

    LOG_LINES_DROPPED: Counter "baton_log_lines_dropped_total" []
        "Log lines that were lost because nobody read them in time.";

    UDP_DATAGRAMS: Counter "baton_udp_datagrams_total" ["direction"]
        "Datagrams received and sent.";
    CONNECTIONS: Gauge "baton_connections" []
        "Connections of streams that are open.";
    CONNECTION_EVENTS: Counter "baton_connection_events_total" ["event"]
        "What happened to connections of streams.";
    TLS_HANDSHAKES: Counter "baton_tls_handshakes_total" ["version", "cipher", "outcome"]
        "TLS handshakes, whoever began them.";
    SOCKET_EVENTS: Counter "baton_socket_events_total" ["event"]
        "What else happened at the sockets.";

    WORKER_BUSY: Counter "baton_worker_busy_seconds_total" ["worker"]
        "Processor time that a worker's thread has used.";
    WORKER_HANDED_OVER: Counter "baton_worker_handed_over_total" ["worker"]
        "Messages that a worker handed to the one that owns their call.";
    WORKER_QUEUE: Gauge "baton_worker_queue_length" ["worker"]
        "Messages that wait for a worker in its ring.";
    WORKER_TURNS: Counter "baton_worker_turns_total" ["worker"]
        "Rounds of a worker's loop.";

    POLICY_REQUESTS: Counter "baton_policy_requests_total" ["outcome"]
        "Requests of the policy service, by what came of them.";
    POLICY_DURATION: Histogram "baton_policy_duration_seconds" []
        "Time from the body of a policy request to its answer.";
    POLICY_EVENTS: Counter "baton_policy_events_total" ["event"]
        "What else happened at the policy service.";

    CONFIG_LAST_SUCCESS: Gauge "baton_config_last_reload_success" []
        "Whether the last reload was taken over, or there was none.";
    CONFIG_SINCE: Gauge "baton_config_loaded_timestamp_seconds" []
        "When the configuration that runs was taken over, in seconds since 1970.";
    CONFIG_RELOADS: Counter "baton_config_reloads_total" ["outcome"]
        "Reloads that were taken over and that failed.";

    PROCESS_CPU: Counter "process_cpu_seconds_total" []
        "Processor time that the process has used.";
    PROCESS_FDS_MAX: Gauge "process_max_fds" []
        "File descriptors that the process may open.";
    PROCESS_FDS: Gauge "process_open_fds" []
        "File descriptors that the process has open.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" []
        "Memory of the process that is in RAM.";
    PROCESS_START: Gauge "process_start_time_seconds" []
        "When the process started, in seconds since 1970.";
    PROCESS_THREADS: Gauge "process_threads" []
        "Threads of the process.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" []
        "Addresses that the process has reserved.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DOCUMENT: &str = include_str!("../../docs/metrics.md");

    /// The names in the first column of the tables.
    fn documented() -> BTreeSet<&'static str> {
        let cells = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = cells.filter_map(|rest| rest.split('`').next());
        cells
            .map(|cell| cell.split('{').next().unwrap_or_default())
            .collect()
    }

    #[test]
    fn each_is_documented_and_nothing_else() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name stands twice");
        let documented = documented();
        let missing: Vec<_> = names.difference(&documented).collect();
        assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
        let unknown: Vec<_> = documented.difference(&names).collect();
        assert!(unknown.is_empty(), "in docs/metrics.md only: {unknown:?}");
    }

    #[test]
    fn the_document_tells_labels_and_kinds() {
        for metric in ALL {
            let labels = match metric.labels {
                [] => String::new(),
                labels => format!("{{{}}}", labels.join(",")),
            };
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let cells = format!("| `{}{labels}` | {kind} |", metric.name);
            assert!(DOCUMENT.contains(&cells), "not in docs/metrics.md: {cells}");
        }
    }

    #[test]
    fn names_follow_the_rules() {
        for metric in ALL {
            let name = metric.name;
            let ours = name.starts_with("baton_") || name.starts_with("process_");
            assert!(ours, "{name}: begins with neither prefix");
            let is_counter = metric.kind == Kind::Counter;
            assert_eq!(name.ends_with("_total"), is_counter, "{name}: _total");
            assert_eq!(name.ends_with("_info"), metric.kind == Kind::Info, "{name}");
            let bare = name.strip_suffix("_total");
            let bare = bare.or_else(|| name.strip_suffix("_info"));
            let clash = ALL.iter().any(|other| Some(other.name) == bare);
            assert!(
                !clash,
                "{name}: without its suffix another one's name, in OpenMetrics"
            );
            assert!(!name.contains("milli"), "{name}: base units only");
            assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
        }
    }
}
