//! `<filter>` (libvirt's formatnwfilter).

use roxmltree::Node;

use super::domain::filter_ref;
use super::model::{Action, Direction, Nwfilter, Protocol, Rule};
use super::xml::{elements, text_of};

/// Priority of a rule that gives none (formatnwfilter, "Supported protocols").
const PRIORITY_DEFAULT: i32 = 500;

pub(super) fn filter(root: Node<'_, '_>) -> Option<Nwfilter> {
    let mut filter = Nwfilter {
        name: root.attribute("name")?.to_owned(),
        uuid: text_of(root, "uuid"),
        chain: root.attribute("chain").map(ToOwned::to_owned),
        priority: root.attribute("priority").and_then(|text| text.trim().parse().ok()),
        ..Nwfilter::default()
    };
    for (at, node) in elements(root).filter(|element| element.has_tag_name("rule")).enumerate() {
        match rule(at + 1, node) {
            Some(rule) => filter.rules.push(rule),
            None => filter.unread.push(at + 1),
        }
    }
    filter.refs =
        elements(root).filter(|element| element.has_tag_name("filterref")).filter_map(filter_ref).collect();
    Some(filter)
}

fn rule(index: usize, node: Node<'_, '_>) -> Option<Rule> {
    let action = match node.attribute("action")? {
        "accept" => Action::Accept,
        "drop" => Action::Drop,
        "reject" => Action::Reject,
        "return" => Action::Return,
        "continue" => Action::Continue,
        _ => return None,
    };
    let direction = match node.attribute("direction")? {
        "in" => Direction::In,
        "out" => Direction::Out,
        "inout" => Direction::Inout,
        _ => return None,
    };
    Some(Rule {
        index,
        action,
        direction,
        priority: node
            .attribute("priority")
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(PRIORITY_DEFAULT),
        statematch: !matches!(node.attribute("statematch"), Some("false" | "0")),
        protocol: elements(node).next().map(protocol),
    })
}

fn protocol(node: Node<'_, '_>) -> Protocol {
    let attributes = node.attributes().map(|a| (a.name().to_owned(), a.value().to_owned())).collect();
    Protocol { name: node.tag_name().name().to_owned(), attributes }
}
