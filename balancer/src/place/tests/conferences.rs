//! Callers of one conference, while it is set up, while it runs, and when its peer is lost.

use super::*;

#[test]
fn callers_of_one_conference_meet_even_while_it_is_set_up() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet1")).expect("room");
    assert_eq!((first.reason, first.role), (Reason::Figures, Role::Chair));
    let second = balancer.place(&ask(now, "MEET1")).expect("room");
    assert_eq!(
        (second.peer, second.reason),
        (first.peer, Reason::Conference)
    );
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    let figures = balancer.conferences();
    let [one] = &figures[..] else {
        panic!("{figures:?}")
    };
    assert_eq!((one.participants, one.seats, one.is_settled), (1, 2, true));
    let third = balancer.place(&ask(now, "meet1")).expect("room");
    assert_eq!(
        balancer.place(&ask(now, "meet1")).err(),
        Some(NoPlace::ConferenceFull)
    );
    assert_eq!(
        balancer.place(&ask(now, "other")).err(),
        Some(NoPlace::AliasUnknown)
    );
    drop((first, second));
    assert_eq!(balancer.conference_count(), 1);
    drop(third);
    assert_eq!(balancer.conference_count(), 0);
    assert_eq!(in_use(&balancer), [0, 0]);
}

#[test]
fn a_conference_that_fails_to_start_moves_once_for_all_its_callers() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10), peer("c", 3, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let one = balancer.place(&ask(now, "meet")).expect("room");
    let two = balancer.place(&ask(now, "meet")).expect("room");
    let dead = one.peer;
    let change = balancer.report(now, dead, Outcome::Failed(Cause::Refused));
    assert!(change.is_some());
    let tried = [dead];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let one_again = balancer.place(&again).expect("room");
    assert_ne!(one_again.peer, dead);
    assert_eq!(one_again.reason, Reason::Failover);
    drop(one);
    let two_again = balancer.place(&again).expect("room");
    assert_eq!(
        (two_again.peer, two_again.reason),
        (one_again.peer, Reason::Conference)
    );
    drop(two);
    assert_eq!(balancer.conferences()[0].seats, 2);
    assert_eq!(in_use(&balancer).iter().sum::<u32>(), 2);
}

#[test]
fn who_is_answered_first_decides_where_a_conference_is() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut slow = balancer.place(&ask(now, "meet")).expect("room");
    let tried = [slow.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let mut fast = balancer.place(&again).expect("room");
    assert_ne!(fast.peer, slow.peer);
    assert_eq!(fast.permit.confirm(), Confirmation::Here);
    assert_eq!(slow.permit.confirm(), Confirmation::Elsewhere(fast.peer));
    assert_eq!(balancer.conferences()[0].peer, fast.peer);
    drop(slow);
    assert_eq!(balancer.conferences()[0].participants, 1);
    // The other way round: what was moved away is answered first after all, and takes it back.
    drop(fast);
    let mut slow = balancer.place(&ask(now, "meet")).expect("room");
    let tried = [slow.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let mut fast = balancer.place(&again).expect("room");
    assert_eq!(slow.permit.confirm(), Confirmation::Here);
    assert_eq!(fast.permit.confirm(), Confirmation::Elsewhere(slow.peer));
}

#[test]
fn a_running_conference_is_begun_anew_only_when_its_peer_is_dead() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    let tried = [first.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    assert_eq!(balancer.place(&again).err(), Some(NoPlace::Exhausted));
    balancer.report(now, first.peer, Outcome::Paused(Duration::from_secs(9)));
    assert_eq!(
        balancer.place(&ask(now, "meet")).err(),
        Some(NoPlace::NoCapacity)
    );
    let later = now + Duration::from_secs(10);
    assert!(balancer.place(&ask(later, "meet")).is_ok());
    balancer.report(later, first.peer, Outcome::Failed(Cause::Silent));
    let second = balancer.place(&ask(later, "meet")).expect("room");
    assert_ne!(second.peer, first.peer);
    drop(first);
    assert_eq!(balancer.conferences()[0].peer, second.peer);
}

#[test]
fn who_is_answered_by_a_healthy_peer_takes_the_conference_over_from_a_dead_one() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut slow = balancer.place(&ask(now, "meet")).expect("room");
    let tried = [slow.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let mut fast = balancer.place(&again).expect("room");
    assert!(fast.permit.is_unsettled());
    balancer.report(now, slow.peer, Outcome::Failed(Cause::Silent));
    assert_eq!(slow.permit.confirm(), Confirmation::Here);
    // Who dialled now would begin it anew: who is answered now does.
    assert_eq!(fast.permit.confirm(), Confirmation::Here);
    assert_eq!(balancer.conferences()[0].peer, fast.peer);
    assert!(!fast.permit.is_unsettled());
}

#[test]
fn a_conference_whose_peer_lost_its_address_is_not_sent_there() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet")).expect("room");
    balancer.set_targets(first.peer, &[]);
    // While it is set up it moves; once it runs, others have to wait.
    let moved = balancer.place(&ask(now, "meet")).expect("room");
    assert_ne!(moved.peer, first.peer);
    drop(moved);
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    let later = balancer.place(&ask(now, "meet"));
    assert_eq!(later.err(), Some(NoPlace::NoCapacity));
    let figures = balancer.figures(now);
    let of_name = |(cause, count): &(Cause, u64)| *cause == Cause::Dns && *count == 2;
    assert!(
        figures
            .iter()
            .any(|peer| peer.failovers.iter().any(of_name))
    );
    let leased = balancer.lease(&ask(now, "meet2"), "serial", Duration::from_secs(45));
    balancer.set_targets(leased.expect("room").peer, &[]);
    assert!(balancer.place(&ask(now, "meet2")).is_err());
}

#[test]
fn every_caller_of_a_seating_that_lost_is_told_so() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut slow = balancer.place(&ask(now, "meet")).expect("room");
    let mut slower = balancer.place(&ask(now, "meet")).expect("room");
    let tried = [slow.peer];
    let again = Request {
        tried: &tried,
        ..ask(now, "meet")
    };
    let mut fast = balancer.place(&again).expect("room");
    assert_eq!(fast.permit.confirm(), Confirmation::Here);
    let elsewhere = Confirmation::Elsewhere(fast.peer);
    assert_eq!(slow.permit.confirm(), elsewhere);
    assert_eq!(slower.permit.confirm(), elsewhere);
    assert_eq!(balancer.conferences()[0].participants, 1);
}

#[test]
fn a_settled_seating_that_was_replaced_is_no_longer_where_the_conference_is() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet")).expect("room");
    let mut late = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    balancer.report(now, first.peer, Outcome::Failed(Cause::Silent));
    let mut anew = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(anew.permit.confirm(), Confirmation::Here);
    assert_eq!(late.permit.confirm(), Confirmation::Elsewhere(anew.peer));
}

#[test]
fn a_full_conference_moves_with_its_peer_dead() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let place = |_| balancer.place(&ask(now, "meet")).expect("room");
    let mut sitting: Vec<_> = (0..3).map(place).collect();
    for one in &mut sitting {
        assert_eq!(one.permit.confirm(), Confirmation::Here);
    }
    let dead = sitting[0].peer;
    balancer.report(now, dead, Outcome::Failed(Cause::Silent));
    let other = balancer.look(&ask(now, "meet")).expect("room");
    let anew = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!((anew.peer, anew.peer != dead), (other, true));
}

#[test]
fn a_conference_whose_peer_is_being_checked_is_begun_anew() {
    let peers = vec![peer("a", 1, 10), peer("b", 2, 10)];
    let (balancer, now) = balancer(peers, vec![meet()]);
    let mut first = balancer.place(&ask(now, "meet")).expect("room");
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    balancer.report(now, first.peer, Outcome::Failed(Cause::Silent));
    balancer.report(now, first.peer, Outcome::ProbeGood);
    let figures = balancer.figures(now);
    assert!(figures.iter().any(|peer| peer.state.as_str() == "Checking"));
    let anew = balancer.place(&ask(now, "meet")).expect("room");
    assert_ne!(anew.peer, first.peer);
}

#[test]
fn seats_of_attempts_that_were_given_up_keep_nobody_out() {
    let (balancer, now) = balancer(vec![peer("a", 1, 10)], vec![meet()]);
    let place = || balancer.place(&ask(now, "meet"));
    let mut first = place().expect("room");
    assert_eq!(first.permit.confirm(), Confirmation::Here);
    let mut given_up: Vec<_> = (0..2).map(|_| place().expect("room")).collect();
    assert_eq!(place().err(), Some(NoPlace::ConferenceFull));
    for one in &mut given_up {
        one.permit.give_up();
        one.permit.give_up();
    }
    assert_eq!(balancer.conferences()[0].seats, 1);
    let second = place().expect("room");
    // One of them is answered after all; it counts again.
    let mut late = given_up.pop().expect("two");
    assert_eq!(late.permit.confirm(), Confirmation::Here);
    assert_eq!(balancer.conferences()[0].seats, 3);
    assert_eq!(place().err(), Some(NoPlace::ConferenceFull));
    drop((first, second, late));
    // The session of the other is held still, and with it the conference.
    assert_eq!(
        (in_use(&balancer), balancer.conference_count()),
        (vec![1], 1)
    );
    drop(given_up);
    assert_eq!(
        (in_use(&balancer), balancer.conference_count()),
        (vec![0], 0)
    );
}
