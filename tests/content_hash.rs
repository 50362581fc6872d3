//! conda-lock's content hash: the vectors that conda-lock 4 itself computed.

use envlock::{
    lock::content_hash::{content_hash, preimage},
    spec::{Source, channel::Variables, environment::parse_platform},
};

use crate::common::fixture;

#[test]
fn every_vector_holds() {
    let text = std::fs::read_to_string(fixture("content_hash_vectors.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    // The variable that conda-lock recognises the literal token of one vector by.
    let variables = Variables::from([("MY_REPO_TOKEN".to_owned(), "s3cret".to_owned())]);
    let mut count = 0;
    for (name, vector) in vectors.as_object().unwrap() {
        let text = vector["env_yml"].as_str().unwrap();
        let source = Source { shown: "env.yml".into(), path: "env.yml".into(), text: text.into() };
        let linux = parse_platform("linux-64").unwrap();
        let sources = [source];
        assert_eq!(
            preimage(&sources, linux, &variables),
            vector["preimage_linux64"].as_str().unwrap(),
            "{name}"
        );
        for (platform, hash) in vector["content_hash"].as_object().unwrap() {
            let parsed = parse_platform(platform).unwrap();
            assert_eq!(
                content_hash(&sources, parsed, &variables),
                hash.as_str().unwrap(),
                "{name} on {platform}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 45);
}
