//! Who a client is: the address that a connection comes from, or what a trusted proxy says about it.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The header in which proxies write down where a request came from, one after the other.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAddress(pub(super) IpAddr);

/// Proxies in front of the TAM, whose word on the client's address counts. Nobody else's does.
#[derive(Debug, Clone, Default)]
pub(super) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether the address is that of a trusted proxy.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request that came over a connection from `peer` began, as far as it can be believed.
    ///
    /// Each proxy appends whom it heard the request from. So the list is read backwards, as long as it is
    /// trusted proxies that speak.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        let said: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .collect();
        for text in said.iter().rev() {
            if !self.contains(client) {
                break;
            }
            match text.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => break,
            }
        }
        ClientAddress(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, said: &[&str]) -> String {
        let networks = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let headers = said
            .iter()
            .map(|value| (FORWARDED_FOR, value.parse().unwrap()))
            .collect();
        let proxies = TrustedProxies::new(networks);
        proxies
            .client(peer.parse().unwrap(), &headers)
            .0
            .to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let said = ["198.51.100.7, 203.0.113.9"];
        assert_eq!(client(&[], "192.0.2.1", &said), "192.0.2.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &said), "192.0.2.1");
        // What the client itself wrote before the proxy's own entry does not count.
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", &said), "203.0.113.9");
    }

    #[test]
    fn a_chain_of_trusted_proxies_is_followed_to_its_end() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        let said = ["1.2.3.4, 203.0.113.9", "fd00::5"];
        assert_eq!(client(&trusted, "10.0.0.1", &said), "203.0.113.9");
        assert_eq!(client(&trusted, "::ffff:10.0.0.1", &said), "203.0.113.9");
        assert_eq!(client(&trusted, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client(&trusted, "10.0.0.1", &["unknown"]), "10.0.0.1");
    }
}
