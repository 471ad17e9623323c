use std::path::Path;

use reqwest::{Client, Method, RequestBuilder};
use tamarack_tam::api;
use zeroize::Zeroizing;

use crate::{failure::Failure, http};

/// A TAM's admin API as a client sees it.
pub(crate) struct AdminApi {
    client: Client,
    base: String,
    token: Zeroizing<String>,
    peer: String,
}

impl AdminApi {
    /// The API of the TAM at `url`; a trailing `/tam`, the TEEP endpoint, is forgiven.
    /// The authorities in a PEM file are trusted beside those of the system.
    pub(crate) fn new(url: &str, token: &str, authorities: Option<&Path>) -> Result<Self, Failure> {
        let root = url.trim_end_matches('/').trim_end_matches("/tam");
        if !root.starts_with("http://") && !root.starts_with("https://") {
            return Err(Failure::new(format!(
                "--tam {url}: not an http or https URL"
            )));
        }
        Ok(Self {
            client: http::client(authorities)?,
            base: format!("{root}{}", api::PREFIX),
            token: Zeroizing::new(token.to_owned()),
            peer: format!("the TAM at {root}"),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}/{path}", self.base))
            .bearer_auth(&*self.token)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        http::json(self.request(Method::GET, path), &self.peer).await
    }

    async fn delete(&self, path: &str) -> Result<(), Failure> {
        http::done(self.request(Method::DELETE, path), &self.peer).await
    }

    pub(crate) async fn enroll(&self, endorsement: String) -> Result<api::Device, Failure> {
        let request = self
            .request(Method::POST, "devices")
            .header("content-type", "application/json")
            .body(endorsement);
        http::json(request, &self.peer).await
    }

    pub(crate) async fn unenroll(&self, ueid: &str) -> Result<(), Failure> {
        self.delete(&path("devices/", ueid)).await
    }

    pub(crate) async fn publish(&self, envelope: Vec<u8>) -> Result<api::Component, Failure> {
        let request = self
            .request(Method::POST, "components")
            .header("content-type", "application/suit-envelope+cose")
            .body(envelope);
        http::json(request, &self.peer).await
    }

    pub(crate) async fn put_domain(
        &self,
        domain: &api::DomainRequest,
    ) -> Result<api::Domain, Failure> {
        http::json(
            self.request(Method::POST, "domains").json(domain),
            &self.peer,
        )
        .await
    }

    pub(crate) async fn domains(&self) -> Result<api::Domains, Failure> {
        self.get("domains").await
    }

    pub(crate) async fn domain(&self, name: &str) -> Result<api::Domain, Failure> {
        self.get(&path("domains/", name)).await
    }

    /// Removes a domain; what there is to wait for, if there is something.
    pub(crate) async fn remove_domain(&self, name: &str) -> Result<Option<api::Removal>, Failure> {
        let request = self.request(Method::DELETE, &path("domains/", name));
        http::json_if_any(request, &self.peer).await
    }

    /// Withdraws the manifests that have this identifier or install this component; their identifiers.
    pub(crate) async fn withdraw(&self, component: &str) -> Result<Vec<String>, Failure> {
        let mut manifests: Vec<String> = (self.components().await?.components.into_iter())
            .filter(|published| {
                let mut images = published.components.iter();
                let installs = images.any(|image| image.component == component);
                !published.withdrawn && (published.manifest == component || installs)
            })
            .map(|published| published.manifest)
            .collect();
        if manifests.is_empty() {
            return Err(
                Failure::new(format!("nothing that is published installs {component}"))
                    .hint("`tamarack admin … components` lists what is"),
            );
        }
        manifests.sort();
        manifests.dedup();
        for manifest in &manifests {
            self.delete(&path("components?manifest=", manifest)).await?;
        }
        Ok(manifests)
    }

    pub(crate) async fn add_token(
        &self,
        token: &api::TokenRequest,
    ) -> Result<api::NewToken, Failure> {
        let post = self.request(Method::POST, "tokens").json(token);
        http::json(post, &self.peer).await
    }

    pub(crate) async fn tokens(&self) -> Result<api::Tokens, Failure> {
        self.get("tokens").await
    }

    pub(crate) async fn remove_token(&self, name: &str) -> Result<(), Failure> {
        self.delete(&path("tokens/", name)).await
    }

    pub(crate) async fn revoke(
        &self,
        request: &api::RevocationRequest,
    ) -> Result<api::Revocations, Failure> {
        let post = self.request(Method::POST, "revocations").json(request);
        http::json(post, &self.peer).await
    }

    pub(crate) async fn revocations(&self) -> Result<api::Revocations, Failure> {
        self.get("revocations").await
    }

    pub(crate) async fn reinstate(&self, id: &str) -> Result<(), Failure> {
        self.delete(&path("revocations/", id)).await
    }

    pub(crate) async fn put_maker(&self, maker: &api::MakerRequest) -> Result<api::Maker, Failure> {
        let post = self.request(Method::POST, "makers").json(maker);
        http::json(post, &self.peer).await
    }

    pub(crate) async fn makers(&self) -> Result<api::Makers, Failure> {
        self.get("makers").await
    }

    pub(crate) async fn remove_maker(&self, name: &str) -> Result<(), Failure> {
        self.delete(&path("makers/", name)).await
    }

    pub(crate) async fn deploy(
        &self,
        component: &str,
        selector: &str,
        mode: &str,
    ) -> Result<api::Deployment, Failure> {
        let deployment = api::DeploymentRequest {
            selector: selector.to_owned(),
            component: component.to_owned(),
            mode: mode.to_owned(),
        };
        http::json(
            self.request(Method::POST, "deployments").json(&deployment),
            &self.peer,
        )
        .await
    }

    pub(crate) async fn deployments(&self) -> Result<api::Deployments, Failure> {
        self.get("deployments").await
    }

    /// Ends the deployments of a component, to one selector or to all; returns them.
    pub(crate) async fn undeploy(
        &self,
        component: &str,
        selector: Option<&str>,
    ) -> Result<Vec<api::Deployment>, Failure> {
        let mut ended = self.deployments().await?.deployments;
        ended.retain(|deployment| {
            deployment.component == component
                && selector.is_none_or(|selector| deployment.selector == selector)
        });
        if ended.is_empty() {
            return Err(Failure::new(format!("{component} is not deployed"))
                .hint("`tamarack admin … deployments` lists what is"));
        }
        for deployment in &ended {
            self.delete(&format!("deployments/{}", deployment.id))
                .await?;
        }
        Ok(ended)
    }

    /// All devices, page by page.
    pub(crate) async fn devices(&self) -> Result<api::Devices, Failure> {
        let mut all: api::Devices = self.get("devices").await?;
        while let Some(after) = all.next.take() {
            let page: api::Devices = self.get(&path("devices?after=", &after)).await?;
            all.devices.extend(page.devices);
            all.next = page.next;
        }
        Ok(all)
    }

    pub(crate) async fn device(&self, ueid: &str) -> Result<api::DeviceDetails, Failure> {
        self.get(&path("devices/", ueid)).await
    }

    /// Has the TAM contact a device that listens at `uri`.
    pub(crate) async fn contact(&self, ueid: &str, uri: &str) -> Result<api::Contacted, Failure> {
        let path = path("devices/", ueid) + "/contact";
        let request = self.request(Method::POST, &path);
        let contact = api::Contact {
            uri: uri.to_owned(),
        };
        http::json(request.json(&contact), &self.peer).await
    }

    pub(crate) async fn components(&self) -> Result<api::Components, Failure> {
        self.get("components").await
    }

    /// The newest records, or those after a record, oldest first.
    pub(crate) async fn audit(
        &self,
        after: Option<i64>,
        limit: usize,
    ) -> Result<api::AuditPage, Failure> {
        if let Some(after) = after {
            return self
                .get(&format!("audit?after={after}&limit={limit}"))
                .await;
        }
        let mut newest: api::AuditPage = self.get("audit?limit=1000").await?;
        while let Some(after) = newest.next.take() {
            let page: api::AuditPage = self.get(&format!("audit?after={after}&limit=1000")).await?;
            newest.records.extend(page.records);
            newest.next = page.next;
            let surplus = newest.records.len().saturating_sub(limit);
            newest.records.drain(..surplus);
        }
        let surplus = newest.records.len().saturating_sub(limit);
        newest.records.drain(..surplus);
        Ok(newest)
    }
}

/// A path that ends with a name, as one segment or as a value in a query: every byte of it that could mean something there
/// is escaped.
fn path(start: &str, name: &str) -> String {
    let mut path = start.to_owned();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            _ => path += &format!("%{byte:02X}"),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(path("domains/", "acme/locks"), "domains/acme%2Flocks");
        assert_eq!(path("", "a b?c&d%e#é"), "a%20b%3Fc%26d%25e%23%C3%A9");
        assert_eq!(path("", "A-z0.9_~"), "A-z0.9_~");
    }
}
