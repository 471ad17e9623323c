//! Tokens of people who may do a part of what the administrator may.

use serde_json::json;

use super::{Answer, Server, jwk};
use crate::{api, testing::Provider};

impl Server {
    /// Makes a token; the secret.
    fn token_for(&self, name: &str, role: &str, domains: &[&str]) -> String {
        let request = json!({"name": name, "role": role, "domains": domains});
        let answer = self.post("/tokens", &request);
        assert_eq!(answer.status, 201, "{}", answer.json());
        answer.json()["secret"].as_str().unwrap().to_owned()
    }

    fn with_token(&self, token: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        let authorization = format!("Bearer {token}");
        let path = format!("{}{path}", api::PREFIX);
        self.request(method, &path, &[("Authorization", &authorization)], body)
    }
}

fn with_domains(server: &Server) -> (Provider, Provider) {
    let (acme, globex) = (Provider::new("acme"), Provider::new("globex"));
    for provider in [&acme, &globex] {
        let name = &provider.name;
        let domain = json!({"name": name, "prefix": name, "signers": [jwk(provider)]});
        assert_eq!(server.post("/domains", &domain).status, 201);
    }
    (acme, globex)
}

#[test]
fn a_role_may_do_what_is_its_own() {
    let server = Server::start();
    with_domains(&server);
    let cases: [(&str, &[&str], &[u16]); 4] = [
        ("operator", &[], &[200, 200, 200, 400, 400, 400, 403]),
        (
            "device-administrator",
            &[],
            &[200, 200, 200, 400, 403, 403, 403],
        ),
        ("auditor", &[], &[200, 200, 200, 403, 403, 403, 403]),
        ("signer", &["acme"], &[403, 200, 403, 403, 400, 403, 403]),
    ];
    for (role, domains, expected) in cases {
        let token = server.token_for(role, role, domains);
        let found = [
            ("GET", "/devices"),
            ("GET", "/components"),
            ("GET", "/audit"),
            ("POST", "/revocations"),
            ("POST", "/components"),
            ("POST", "/deployments"),
            ("POST", "/tokens"),
        ]
        .map(|(method, path)| server.with_token(&token, method, path, b"{").status);
        // What gets through finds that the body is none.
        assert_eq!(found, expected, "{role}");
    }
}

// req: TEEP-TAM-016
#[test]
fn a_signers_token_is_for_its_domains() {
    let server = Server::start();
    let (acme, globex) = with_domains(&server);
    let token = server.token_for("acme-ci", "signer", &["acme"]);
    let send =
        |method: &str, path: &str, body: &[u8]| server.with_token(&token, method, path, body);
    assert_eq!(
        send("POST", "/components", &acme.envelope("app", 1, b"x")).status,
        201
    );
    let refused = send("POST", "/components", &globex.envelope("app", 1, b"x"));
    assert_eq!(refused.status, 403);
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("globex")
    );
    // It sees of the catalog what is its own.
    assert_eq!(
        server
            .admin("POST", "/components", &globex.envelope("app", 1, b"x"))
            .status,
        201
    );
    let seen = send("GET", "/components", b"").json();
    assert_eq!(seen["components"].as_array().unwrap().len(), 1);
    let seen = send("GET", "/domains", b"").json();
    assert_eq!(seen["domains"].as_array().unwrap().len(), 1);
    assert_eq!(send("GET", "/domains/globex", b"").status, 404);
    // Its own domain is the operator's to change; parts of it are its own.
    let own = json!({"name": "acme", "prefix": "acme", "signers": [jwk(&globex)]}).to_string();
    assert_eq!(send("POST", "/domains", own.as_bytes()).status, 403);
    let part = json!({"name": "acme/locks", "prefix": "acme/locks", "signers": [jwk(&globex)]});
    assert_eq!(
        send("POST", "/domains", part.to_string().as_bytes()).status,
        201
    );
    assert_eq!(send("GET", "/domains/acme%2Flocks", b"").status, 200);
    assert_eq!(send("DELETE", "/domains/acme%2Flocks", b"").status, 204);
    assert_eq!(send("DELETE", "/domains/acme", b"").status, 403);
    // Withdrawing.
    let path = "/components?manifest=globex/app/suit";
    assert_eq!(send("DELETE", path, b"").status, 403);
    let path = "/components?manifest=acme/app/suit";
    assert_eq!(send("DELETE", path, b"").status, 204);
    assert_eq!(send("DELETE", path, b"").status, 404);
    let shown = send("GET", "/components", b"").json();
    assert_eq!(shown["components"][0]["withdrawn"], true);
    // The audit names the token.
    let audit = server.admin("GET", "/audit", b"").json().to_string();
    assert!(audit.contains("by token acme-ci"));
    assert_eq!(server.admin("DELETE", "/tokens/acme-ci", b"").status, 204);
    assert_eq!(send("GET", "/components", b"").status, 401);
}

#[test]
fn a_token_is_shown_once_and_kept_as_a_hash() {
    let server = Server::start();
    with_domains(&server);
    let secret = server.token_for("ops", "operator", &[]);
    assert_eq!(secret.len(), 64);
    let listed = server.admin("GET", "/tokens", b"");
    assert!(!listed.json().to_string().contains(&secret));
    assert_eq!(listed.json()["tokens"][0]["role"], "operator");
    for file in std::fs::read_dir(server.dir.path().join("data")).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap_or_default();
        let holds = |content: &[u8]| content.windows(64).any(|bytes| bytes == secret.as_bytes());
        assert!(!holds(&content));
    }
    for (request, status) in [
        (json!({"name": "ops", "role": "operator"}), 409),
        (json!({"name": "", "role": "operator"}), 422),
        (json!({"name": "x", "role": "king"}), 422),
        (json!({"name": "x", "role": "signer"}), 422),
        (
            json!({"name": "x", "role": "auditor", "domains": ["acme"]}),
            422,
        ),
        (
            json!({"name": "x", "role": "signer", "domains": ["nobody"]}),
            404,
        ),
    ] {
        assert_eq!(server.post("/tokens", &request).status, status, "{request}");
    }
    assert_eq!(server.admin("DELETE", "/tokens/nobody", b"").status, 404);
}
