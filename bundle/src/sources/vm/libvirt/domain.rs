//! `<domain>` (libvirt's formatdomain).

use roxmltree::Node;

use super::model::{Disk, Domain, DomainInterface, FilterRef, Graphics};
use super::xml::{child, elements, of_child, text_of};

pub(super) fn domain(root: Node<'_, '_>) -> Option<Domain> {
    let mut domain = Domain {
        name: text_of(root, "name")?,
        uuid: text_of(root, "uuid"),
        running: root.attribute("id").is_some_and(|id| id.parse::<u32>().is_ok()),
        ..Domain::default()
    };
    for device in child(root, "devices").into_iter().flat_map(elements) {
        match device.tag_name().name() {
            "interface" => domain.interfaces.push(interface(device)),
            "graphics" => domain.graphics.push(graphics(device)),
            "disk" => domain.disks.push(disk(device)),
            _ => {}
        }
    }
    Some(domain)
}

fn interface(node: Node<'_, '_>) -> DomainInterface {
    let source = child(node, "source");
    let vlan = child(node, "vlan");
    let tags = vlan.into_iter().flat_map(elements).filter(|tag| tag.has_tag_name("tag"));
    let parameters = child(node, "virtualport").and_then(|port| child(port, "parameters"));
    DomainInterface {
        kind: node.attribute("type").unwrap_or_default().to_owned(),
        mac: of_child(node, "mac", "address").and_then(|text| text.parse().ok()),
        source: source.and_then(|s| {
            ["bridge", "network", "dev", "path"]
                .into_iter()
                .find_map(|key| s.attribute(key))
                .map(ToOwned::to_owned)
        }),
        target_dev: of_child(node, "target", "dev"),
        vlans: tags.filter_map(|tag| tag.attribute("id")?.parse().ok()).collect(),
        trunk: vlan.and_then(|vlan| vlan.attribute("trunk")) == Some("yes"),
        virtualport: of_child(node, "virtualport", "type"),
        interface_id: parameters.and_then(|p| p.attribute("interfaceid")).map(ToOwned::to_owned),
        model: of_child(node, "model", "type"),
        mtu: of_child(node, "mtu", "size").and_then(|text| text.parse().ok()),
        link_down: of_child(node, "link", "state").as_deref() == Some("down"),
        filter: child(node, "filterref").and_then(filter_ref),
        alias: of_child(node, "alias", "name"),
    }
}

/// `<filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.1'/></filterref>`.
pub(super) fn filter_ref(node: Node<'_, '_>) -> Option<FilterRef> {
    let mut reference = FilterRef { name: node.attribute("filter")?.to_owned(), ..FilterRef::default() };
    for parameter in elements(node).filter(|element| element.has_tag_name("parameter")) {
        if let (Some(name), Some(value)) = (parameter.attribute("name"), parameter.attribute("value")) {
            reference.parameters.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    Some(reference)
}

fn graphics(node: Node<'_, '_>) -> Graphics {
    let listen = node.attribute("listen").map(ToOwned::to_owned);
    Graphics {
        kind: node.attribute("type").unwrap_or_default().to_owned(),
        port: node.attribute("port").and_then(|text| text.parse().ok()).filter(|port| *port != 0),
        listen: listen.or_else(|| of_child(node, "listen", "address")),
    }
}

fn disk(node: Node<'_, '_>) -> Disk {
    let source = child(node, "source").and_then(|source| {
        let keys = ["file", "dev", "name", "volume", "dir", "path"];
        keys.into_iter().find_map(|key| source.attribute(key)).map(ToOwned::to_owned)
    });
    Disk {
        device: node.attribute("device").unwrap_or("disk").to_owned(),
        target: of_child(node, "target", "dev"),
        source,
        format: of_child(node, "driver", "type"),
        bus: of_child(node, "target", "bus"),
    }
}
