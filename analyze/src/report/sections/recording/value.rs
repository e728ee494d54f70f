//! For machines.

use netcap_bundle::Nanos;
use netcap_bundle::run::Pruned;
use serde_json::{Map, Value, json};

use crate::finding::utc_text;
use crate::measure::recording::{HostLoss, LossPeriod, LossSpan, PointLoss, Recording, Steps};

/// The object `recording`; parts that have nothing to tell are left out.
pub(super) fn value(recording: &Recording) -> Value {
    let mut map = Map::new();
    if !recording.points.is_empty() {
        map.insert("points".into(), recording.points.iter().map(point).collect());
    }
    if let Some(host) = &recording.host {
        map.insert("host".into(), self::host(host));
    }
    if !recording.changes.is_empty() {
        map.insert("changes".into(), json!(recording.changes));
    }
    Value::Object(map)
}

fn point(point: &PointLoss) -> Value {
    let sums = &point.sums;
    let mut map = Map::new();
    for (name, count) in [
        ("received", sums.received),
        ("written", sums.written),
        ("dropped", sums.dropped),
        ("shed", sums.shed),
        ("unaccounted", point.unaccounted),
    ] {
        map.insert(name.into(), json!(count));
    }
    map.insert("name".into(), json!(point.name));
    map.insert("filtered".into(), json!(point.filtered));
    let mut when = |name: &str, period: Option<LossPeriod>| {
        if let Some(period) = period {
            map.insert(name.into(), self::period(&period));
        }
    };
    when("dropped_when", point.dropped);
    when("shed_when", point.shed);
    if let Some(steps) = &point.steps {
        map.insert("gave_up".into(), self::steps(steps));
    }
    if let Some(pruned) = &point.pruned {
        map.insert("pruned".into(), self::pruned(pruned));
    }
    Value::Object(map)
}

fn period(period: &LossPeriod) -> Value {
    let LossSpan { from, to, count } = period.worst;
    json!({
        "from": utc_text(period.from), "to": utc_text(period.to), "spans": period.spans,
        "worst": { "from": utc_text(from), "to": utc_text(to), "count": count },
    })
}

fn steps(steps: &Steps) -> Value {
    let shed = &steps.shed;
    json!({
        "from": utc_text(steps.from), "to": utc_text(steps.to), "steps": shed.steps, "deepest": shed.deepest,
        "cut_ms": shed.cut_ms, "why": steps.why,
    })
}

fn pruned(gone: &Pruned) -> Value {
    let utc = |at: Nanos| utc_text(at);
    json!({
        "segments": gone.segments, "packets": gone.packets, "from": utc(gone.from), "until": utc(gone.until),
    })
}

fn host(host: &HostLoss) -> Value {
    let mut map = Map::new();
    map.insert("softnet_dropped".into(), json!(host.softnet));
    map.insert("upcalls_lost".into(), json!(host.upcalls));
    map.insert("when".into(), period(&host.period));
    Value::Object(map)
}
