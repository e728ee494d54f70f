//! Groups as `ovs-ofctl dump-groups` prints them (lib/ofp-group.c, `ofputil_group_desc_format`).

use super::model::{Group, GroupKind, OvsOpenflow};
use crate::source::{Outcome, Parsed, RawItem};
use crate::sources::shared::text::{lines, number, push_capped};

pub(super) fn dump(text: &str, item: &RawItem<'_>, parsed: &mut Parsed<OvsOpenflow>) {
    let mut groups = Vec::new();
    for (line_number, line) in lines(text) {
        if line.contains("ST_GROUP_DESC reply") {
            continue;
        }
        match group(line.trim()) {
            Some(group) => {
                if !push_capped(&mut groups, group, item, parsed) {
                    break;
                }
            }
            None => parsed.defect(item, line_number, format!("not an OpenFlow group: {line}")),
        }
    }
    if *item.outcome == Outcome::Ok {
        parsed.value.bridges.entry(item.arg.to_owned()).or_default().groups = Some(groups);
    }
}

/// `group_id=1,type=select,bucket=bucket_id:0,weight:100,actions=output:2,bucket=…`. Actions hold commas, so buckets are
/// told apart by their own word.
fn group(text: &str) -> Option<Group> {
    let (head, rest) = text.split_once(",bucket=").unwrap_or((text, ""));
    let field =
        |name: &str| head.split(',').find_map(|piece| piece.trim().strip_prefix(name)?.strip_prefix('='));
    let kind = match field("type")? {
        "all" => GroupKind::All,
        "indirect" => GroupKind::Indirect,
        _ => GroupKind::Other,
    };
    let id = u32::try_from(number(field("group_id")?)?).ok()?;
    let mut buckets = Vec::new();
    for bucket in rest.split(",bucket=").filter(|bucket| !bucket.is_empty()) {
        let (_, actions) = bucket.split_once("actions=")?;
        buckets.push(actions.trim().to_owned());
    }
    Some(Group { id, kind, buckets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{hostile, parse_one, survives};
    use proptest::prelude::*;

    const DUMP: &str = "\
OFPST_GROUP_DESC reply (OF1.5) (xid=0x2):
 group_id=1,type=all,bucket=bucket_id:0,actions=output:2,bucket=bucket_id:1,actions=set_field:5->reg1,resubmit(,3)
 group_id=2,type=select,selection_method=dp_hash,bucket=bucket_id:0,weight:100,actions=drop
 group_id=3,type=ff,bucket=bucket_id:1,watch_port:2,actions=output:2
 group_id=4,type=indirect
";

    #[test]
    fn buckets_keep_their_actions() {
        let parsed = parse_one::<OvsOpenflow>("dump-groups", "br0", DUMP);
        assert_eq!(parsed.defects, []);
        let groups = parsed.value.bridges["br0"].groups.clone().unwrap();
        assert_eq!(groups.iter().map(|g| g.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(groups[0].buckets, ["output:2", "set_field:5->reg1,resubmit(,3)"]);
        assert_eq!((groups[1].kind, groups[3].kind), (GroupKind::Other, GroupKind::Indirect));
        assert!(groups[3].buckets.is_empty());
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in hostile(DUMP), cut: bool) {
            survives::<OvsOpenflow>(&bytes, cut);
            let _ = parse_one::<OvsOpenflow>("dump-groups", "br0", &String::from_utf8_lossy(&bytes));
        }
    }
}
