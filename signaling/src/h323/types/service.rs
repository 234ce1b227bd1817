//! What a service asks of an endpoint: ServiceControlSession.

use super::NonStandardParameter;
use crate::h323::per::{Bmp, Ia5, Number, choice, sequence};

sequence! {
    /// ServiceControlSession.
    ServiceControlSession<'a> {
        needs session_id: Number<0, 255>,
        may contents: ServiceControlDescriptor<'a>,
        needs reason: ServiceControlReason<'a>,
    } additions 0 {}
}

choice! {
    /// What becomes of a [`ServiceControlSession`].
    ServiceControlReason<'a> {
        root 3 {
            0 Open,
            1 Refresh,
            2 Close,
        }
        additions {}
    }
}

choice! {
    /// ServiceControlDescriptor.
    ServiceControlDescriptor<'a> {
        root 4 {
            0 Url(Ia5<'a, 0, 512>),
            1 Signal(&'a [u8]),
            2 NonStandard(NonStandardParameter<'a>),
            3 CallCreditServiceControl(CallCreditServiceControl<'a>),
        }
        additions {}
    }
}

sequence! {
    /// CallCreditServiceControl.
    CallCreditServiceControl<'a> {
        may amount_string: Bmp<'a, 512>,
        may billing_mode: BillingMode<'a>,
        may call_duration_limit: Number<1, 0xffff_ffff>,
        may enforce_call_duration_limit: bool,
        may call_starting_point: CallStartingPoint<'a>,
    } additions 0 {}
}

choice! {
    /// Which way an account is counted.
    BillingMode<'a> {
        root 2 {
            0 Credit,
            1 Debit,
        }
        additions {}
    }
}

choice! {
    /// From when on a call is counted.
    CallStartingPoint<'a> {
        root 2 {
            0 Alerting,
            1 Connect,
        }
        additions {}
    }
}
