//! `why`: the last decision about a container, found by the start of its id.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{fails, folder, prints, run, write};
use crate::schemas::Schema;

fn report(id: &str) -> Value {
    json!({"schema": "oci-compat.report/v1", "verdict": "incompatible", "action": "refuse",
        "subject": {"image": "docker.io/acme/upf:1", "container": id},
        "reasons": [{"code": "module-not-loaded", "message": "kernel module gtp5g is not loaded"}], "specs": []})
}

fn reports(ids: &[&str]) -> TempDir {
    let folder = folder();
    for id in ids {
        write(&folder, &format!("reports/{id}.json"), &report(id).to_string());
    }
    folder
}

#[test]
fn a_decision_is_found_by_the_start_of_the_id() {
    let folder = reports(&["3f2a9c", "3f2b00", "3f2a9c77"]);
    let page = |id: &str| {
        format!(
            "incompatible, refused: image docker.io/acme/upf:1, container {id}\n  \
             kernel module gtp5g is not loaded [module-not-loaded]\n"
        )
    };
    prints(&folder, "why --reports reports 3f2b", 0, &page("3f2b00"));
    prints(&folder, "why --reports reports 3f2a9c", 0, &page("3f2a9c"));
    let several = "3 containers start with \"3f2\": 3f2a9c, 3f2a9c77, 3f2b00";
    fails(&folder, "why --reports reports 3f2", several);
}

#[test]
fn without_an_id_the_last_decision_is_shown() {
    let folder = reports(&["first", "last", "second"]);
    let page = |id: &str| {
        format!(
            "incompatible, refused: image docker.io/acme/upf:1, container {id}\n  \
             kernel module gtp5g is not loaded [module-not-loaded]\n"
        )
    };
    for (id, seconds) in [("first", 1), ("second", 2), ("last", 3)] {
        let file =
            std::fs::File::options().append(true).open(folder.path().join(format!("reports/{id}.json")));
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.and_then(|it| it.set_modified(time)).expect("a time");
    }
    prints(&folder, "why --reports reports", 0, &page("last"));
    write(&folder, "d.jsonl", super::log::DECISIONS);
    let ran = run(&folder, "why --reports none --decisions d.jsonl");
    let last = super::log::DECISIONS.lines().last().expect("a decision");
    let last: Value = serde_json::from_str(last).expect("JSON");
    let id = last.pointer("/subject/container").and_then(Value::as_str).expect("a container");
    assert!(ran.status == 0 && ran.stdout.contains(&format!("container {id}\n")), "{ran:?}");
    let nothing = "there is no report in none, and no decision in none; only containers that were refused, or started \
                   with a doubt, leave any";
    fails(&folder, "why --reports none --decisions none", nothing);
}

#[test]
fn a_decision_comes_as_json_too() {
    let ran = run(&reports(&["3f2a9c"]), "why --reports reports 3f --format json");
    let found: Value = serde_json::from_str(&ran.stdout).expect("a report is JSON");
    assert_eq!(Schema::report().complaint(&found), "");
    assert_eq!((ran.status, found), (0, report("3f2a9c")));
}

#[test]
fn a_container_without_a_report_may_simply_have_fitted() {
    let check = |folder: &TempDir| {
        let message = "there is no report on a container or image \"zzz\" in reports, and no decision in d.jsonl; only containers \
                       that were refused, or started with a doubt, leave any";
        fails(folder, "why --reports reports --decisions d.jsonl zzz", message);
    };
    check(&folder());
    check(&reports(&["3f2a9c"]));
}

#[test]
fn what_the_log_knows_outlives_the_report() {
    let folder = folder();
    write(&folder, "d.jsonl", super::log::DECISIONS);
    let page = "incompatible, refused: image docker.io/acme/upf:1, container 3f2a9c\n  \
                decided at 2026-08-01T10:00:00.000000Z\n  \
                kernel module gtp5g is not loaded [module-not-loaded]\n  \
                note: the report itself is gone; this is what d.jsonl knows\n";
    prints(&folder, "why --reports reports --decisions d.jsonl 3f2a", 0, page);
    let several = "2 containers start with \"3f2\": 3f2a9c, 3f2b00";
    fails(&folder, "why --reports reports --decisions d.jsonl 3f2", several);
    let ran = run(&folder, "why --reports reports --decisions d.jsonl 3f2a --format json");
    let found: Value = serde_json::from_str(&ran.stdout).expect("a report is JSON");
    assert_eq!(Schema::report().complaint(&found), "");
}

#[test]
fn what_is_no_id_names_no_file() {
    let folder = reports(&["3f2a9c"]);
    for id in ["../x", "a/b/", ".hidden", "..", "a\u{1b}"] {
        fails(
            &folder,
            &format!("why --reports reports {id}"),
            &format!("{id:?} is no container id, and no name of an image"),
        );
    }
}

#[test]
fn a_pod_s_container_is_found_by_the_names_that_kubernetes_gave_it() {
    let folder = folder();
    let mut found = report("5e00");
    found["subject"]["pod"] = json!({"namespace": "default", "name": "upf-0", "container": "upf"});
    write(&folder, "reports/=00.json", &found.to_string());
    write(&folder, "reports/5f00.json", &report("5f00").to_string());
    let page = "incompatible, refused: image docker.io/acme/upf:1, pod default/upf-0, its upf, container 5e00\n  \
                kernel module gtp5g is not loaded [module-not-loaded]\n";
    for names in ["default/upf-0/upf", "upf-0/upf", "default/upf-0", "5e00"] {
        prints(&folder, &format!("why --reports reports {names}"), 0, page);
    }
    let message = "there is no report on a container or image \"upf-1/upf\" in reports, and no decision in d.jsonl; only \
                   containers that were refused, or started with a doubt, leave any";
    fails(&folder, "why --reports reports --decisions d.jsonl upf-1/upf", message);
}

/// The last one, of whichever container, by any spelling of the name, or by a digest.
#[test]
fn the_last_decision_on_an_image_is_found_by_what_the_image_is_called() {
    let folder = folder();
    let digest = format!("sha256:{}", "ab".repeat(32));
    let written = |id: &str, image: &str, time: &str| {
        let mut found = report(id);
        found["subject"]["image"] = json!(image);
        found["subject"]["digest"] = json!(digest);
        found["time"] = json!(time);
        write(&folder, &format!("reports/{id}.json"), &found.to_string());
    };
    written("aa", "docker.io/library/nginx:1", "2026-08-01T00:00:01Z");
    written("bb", "docker.io/library/nginx:1", "2026-08-01T00:00:03Z");
    written("cc", "docker.io/library/nginx:2", "2026-08-01T00:00:02Z");
    let check = |called: &str, expected: &str| {
        let ran = run(&folder, &format!("why --reports reports {called}"));
        assert!(
            ran.status == 0 && ran.stdout.contains(&format!("container {expected}\n")),
            "{called}: {ran:?}"
        );
    };
    check("nginx:1", "bb");
    check("docker.io/nginx:2", "cc");
    check(&digest, "bb");
    check(&format!("other@{digest}"), "bb");
    check("c", "cc");
    write(&folder, "d.jsonl", super::log::DECISIONS);
    let ran = run(&folder, "why --reports none --decisions d.jsonl acme/upf:1");
    assert!(ran.status == 0 && ran.stdout.contains("image docker.io/acme/upf:1, container "), "{ran:?}");
    let none = "there is no report on a container or image \"acme/nrf:7\" in none, and no decision in d.jsonl; only \
                containers that were refused, or started with a doubt, leave any";
    fails(&folder, "why --reports none --decisions d.jsonl acme/nrf:7", none);
}

#[test]
fn a_report_that_is_damaged_is_named() {
    let folder = folder();
    write(&folder, "reports/a.json", "{");
    let message = "reading reports/a.json: EOF while parsing an object at line 1 column 1";
    fails(&folder, "why --reports reports a", message);
}
