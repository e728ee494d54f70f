//! XML from a host, with limits: a bundle may come from anywhere.

use roxmltree::{Document, Node, ParsingOptions};

use super::model::Libvirt;
use crate::source::{Parsed, RawItem};

/// Nodes read of one document; a machine with a hundred disks has a few thousand.
const NODES_MAX: u32 = 100_000;

/// Elements inside one another; libvirt's definitions stay below ten.
const DEPTH_MAX: usize = 64;

/// Attributes of one element; libvirt's have ten or so.
const ATTRIBUTES_MAX: usize = 1024;

/// Reads the item as one document with that root. DTDs, and with them entities, are refused.
pub(super) fn read<E>(
    text: &str,
    root: &str,
    item: &RawItem<'_>,
    parsed: &mut Parsed<Libvirt>,
    convert: impl Fn(Node<'_, '_>) -> Option<E>,
) -> Option<E> {
    if text.trim().is_empty() {
        return None;
    }
    if let Some(why) = refused(text) {
        parsed.defect(item, 0, why);
        return None;
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(text.trim_start(), options) {
        Ok(document) => document,
        Err(error) => {
            let line = usize::try_from(error.pos().row).unwrap_or(0);
            parsed.defect(item, line, format!("not XML: {error}"));
            return None;
        }
    };
    let element = document.root_element();
    let value = if element.has_tag_name(root) { convert(element) } else { None };
    if value.is_none() {
        parsed.defect(item, 1, format!("not a <{root}> definition with a name"));
    }
    value
}

/// Why a document is not even tried: the reader recurses with the nesting, and its time grows with the square of an
/// element's attributes. Both are bounded from above without reading XML: opening tags less closing tags, and equal
/// signs up to the next `<`, which cannot stand inside an attribute.
fn refused(text: &str) -> Option<String> {
    let mut depth = 0_usize;
    for piece in text.split('<').skip(1) {
        let tag = piece.split('>').next().unwrap_or_default();
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.starts_with(['!', '?']) && !tag.ends_with('/') {
            depth += 1;
        }
        if depth > DEPTH_MAX {
            return Some(format!("elements nested deeper than {DEPTH_MAX}"));
        }
        if piece.bytes().filter(|byte| *byte == b'=').count() > ATTRIBUTES_MAX {
            return Some(format!("an element with more than {ATTRIBUTES_MAX} attributes"));
        }
    }
    None
}

/// The first child element of that name.
pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.has_tag_name(name))
}

/// An attribute of the first child element of that name.
pub(super) fn of_child(node: Node<'_, '_>, name: &str, attribute: &str) -> Option<String> {
    child(node, name)?.attribute(attribute).map(ToOwned::to_owned)
}

/// The trimmed text of the first child element of that name.
pub(super) fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    let text = child(node, name)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The child elements.
pub(super) fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}
