//! The routing cookbook of the guides: every request of it, sent to the file that it belongs to.

use std::{collections::BTreeMap, fs, path::Path};

use harness::{Gateway, Origin, RawClient, Tally};

/// One question of the page.
struct Recipe<'a> {
    title: &'a str,
    file: &'a str,
    /// Requests, and what becomes of them.
    rows: Vec<(&'a str, &'a str)>,
}

fn recipes(page: &str) -> Vec<Recipe<'_>> {
    let mut recipes = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        let (_, rest) = section.split_once("```yaml\n").expect(title);
        let (file, rest) = rest.split_once("```").expect(title);
        let rows = rest.lines().filter(|line| line.starts_with("| `")).map(|line| {
            let (request, outcome) = line.trim_matches(['|', ' ']).split_once(" | ").expect(line);
            (request.trim(), outcome.trim())
        });
        recipes.push(Recipe { title, file, rows: rows.collect() });
    }
    recipes
}

/// The texts between backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[tokio::test]
async fn every_request_of_the_routing_cookbook_becomes_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/routing-cookbook.md");
    let page = fs::read_to_string(path).unwrap();
    let recipes = recipes(&page);
    assert_eq!(recipes.len(), 25);
    let mut tally = Tally::new();
    for Recipe { title, file, rows } in recipes {
        assert!(!rows.is_empty(), "{title}");
        let mut origins = BTreeMap::new();
        let mut yaml = file.to_owned();
        while let Some(end) = yaml.find(":8080") {
            let is_name = |char: char| char.is_ascii_alphanumeric() || char == '-';
            let start = yaml[..end].rfind(|char| !is_name(char)).map_or(0, |at| at + 1);
            let name = yaml[start..end].to_owned();
            let origin = Origin::ok().await;
            // The name of an upstream may stand in quotes already.
            let address = origin.address().to_string();
            let whole = format!("{name}:8080");
            yaml = yaml
                .replace(&format!("\"{whole}\""), &format!("\"{address}\""))
                .replace(&whole, &format!("\"{address}\""));
            origins.insert(name, origin);
        }
        let gateway = Gateway::builder(&yaml).start();
        for (request, outcome) in rows {
            let case = format!("{title}: {request}");
            let mut parts = code(request).into_iter();
            let line = parts.next().unwrap();
            let fields: Vec<&str> = parts.collect();
            let host = if fields.iter().any(|field| field.starts_with("Host:")) { "" } else { "Host: x\r\n" };
            let more: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            let response =
                RawClient::once(gateway.address(), format!("{line} HTTP/1.1\r\n{host}{more}\r\n")).await;
            let seen: Vec<(String, String)> = origins
                .iter()
                .flat_map(|(name, origin)| {
                    origin.take_requests().into_iter().map(|seen| (name.clone(), seen.target().to_owned()))
                })
                .collect();
            match (outcome.split_once(" sees "), outcome.split_once(" to ")) {
                (Some((name, target)), _) => {
                    tally.equal(&case, response.status(), 200);
                    let arrived = matches!(&*seen, [(at, as_target)]
                        if code(name).contains(&at.as_str()) && as_target == code(target)[0]);
                    tally.check(case, arrived, seen);
                }
                (None, Some((status, location))) => {
                    tally.equal(&case, response.status().to_string().as_str(), status);
                    tally.equal(case, response.header("location"), Some(code(location)[0]));
                }
                (None, None) => {
                    tally.equal(&case, response.status().to_string().as_str(), outcome);
                    tally.check(case, seen.is_empty(), seen);
                }
            }
        }
    }
    tally.finish(100);
}
