//! Whether this node takes part: what the status path says (POLICY.md sections 3.1 and 3.2).

/// The state of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It decides.
    Active,
    /// It cannot reach a peer while another member can.
    Alone,
    /// Its credentials are those that everybody knows.
    DefaultCredentials,
    /// It is about to stop: a VCS is to look elsewhere, and until it does, it gets its decisions.
    Draining,
    /// It is not ready yet.
    Starting,
    /// It has drained.
    Stopped,
}

impl State {
    /// Whether the status path says 200; if not, 503.
    #[must_use]
    pub fn is_active(self) -> bool {
        match self {
            Self::Active => true,
            Self::Alone
            | Self::DefaultCredentials
            | Self::Draining
            | Self::Starting
            | Self::Stopped => false,
        }
    }

    /// Whether decisions are made; if not, 503, so that a VCS asks another member.
    #[must_use]
    pub fn decides(self) -> bool {
        match self {
            Self::Active | Self::Draining => true,
            Self::Alone | Self::DefaultCredentials | Self::Starting | Self::Stopped => false,
        }
    }

    /// One line for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Active => "OK",
            Self::Alone => "this member reaches no bridge, another one does",
            Self::DefaultCredentials => "the default credentials are still in place",
            Self::Draining => "draining",
            Self::Starting => "starting",
            Self::Stopped => "stopped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn each_state_is_in_the_table() {
        // State, status path, decisions (POLICY.md section 3.2).
        let table = [
            (State::Active, true, true),
            (State::Alone, false, false),
            (State::DefaultCredentials, false, false),
            (State::Draining, false, true),
            (State::Starting, false, false),
            (State::Stopped, false, false),
        ];
        for (state, is_active, decides) in table {
            assert_eq!(state.is_active(), is_active, "{state:?}");
            assert_eq!(state.decides(), decides, "{state:?}");
            assert!(!state.words().contains('\n'));
        }
    }
}
