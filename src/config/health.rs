//! `[health]`: when a peer is taken out of service and put back.

use super::section::Section;
use balancer::HealthSettings;

pub(super) const KEYS: &[&str] = &[
    "probe",
    "probe_interval_ms",
    "probe_timeout_ms",
    "down_after",
    "up_after",
    "hold_down_ms",
    "back_off_ms_min",
    "back_off_ms_max",
    "slow_start_ms",
    "pause_seconds_max",
    "report_age_seconds_max",
];

pub(super) fn read(section: &mut Section<'_, '_, '_>) -> HealthSettings {
    let default = HealthSettings::default();
    let [first, last] = default.back_off;
    let health = HealthSettings {
        probe: section.truth("probe", default.probe),
        probe_interval: section.milliseconds(
            "probe_interval_ms",
            100..=600_000,
            default.probe_interval,
        ),
        probe_timeout: section.milliseconds("probe_timeout_ms", 50..=60_000, default.probe_timeout),
        down_after: section.number("down_after", 1..=31, default.down_after),
        up_after: section.number("up_after", 1..=31, default.up_after),
        hold_down: section.milliseconds("hold_down_ms", 0..=600_000, default.hold_down),
        back_off: [
            section.milliseconds("back_off_ms_min", 100..=600_000, first),
            section.milliseconds("back_off_ms_max", 100..=600_000, last),
        ],
        slow_start: section.milliseconds("slow_start_ms", 0..=600_000, default.slow_start),
        pause_max: section.seconds("pause_seconds_max", 1..=86_400, default.pause_max),
        report_age_max: section.seconds(
            "report_age_seconds_max",
            1..=86_400,
            default.report_age_max,
        ),
    };
    let [least, most] = health.back_off;
    if least > most {
        let at = ["back_off_ms_max", "back_off_ms_min"]
            .into_iter()
            .find_map(|key| section.value(key))
            .map_or_else(|| section.at(), |value| value.span().start);
        let message = format!(
            "`back_off_ms_max` ({}) is less than `back_off_ms_min` ({})",
            most.as_millis(),
            least.as_millis()
        );
        section.findings().add(at, message);
    }
    health
}
