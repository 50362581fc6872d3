//! The programs of a node, in Python: tested by Python.

use crate::common::root;

#[test]
fn programs_of_a_node() {
    let ran = duct::cmd!("/usr/bin/python3", "-B", root().join("tests/node/test_node.py"));
    let ran = ran.stderr_to_stdout().stdout_capture().unchecked().run().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}
