//! `--binaries`: functions as processes behind a Lambda Runtime API. Here all of them are one program (`tests/src/bin`), unless
//! the suite runs on built binaries: then they are those.
//!
//! Not run in outages: it chooses its regions.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use domain::region::Region;
use local::{Options, Platform};
use tempfile::TempDir;
use tests::{App, PASSWORD, json};

/// A folder with a program for every function.
fn programs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let all = infra::Functions::all();
    let endpoints = all.operations.iter().map(|operation| operation.spec.id);
    for id in endpoints.chain(all.workers.iter().map(|worker| worker.id)) {
        symlink(env!("CARGO_BIN_EXE_function"), folder.path().join(id)).unwrap();
    }
    folder
}

/// A platform that runs programs, and their folder.
pub async fn start() -> (App, TempDir) {
    let programs = programs();
    (App::of_binaries(programs.path()).await, programs)
}

/// The processes of a function of the platform that has this door; of all its functions if none is named.
fn processes(door: &str, function: &str) -> Vec<u32> {
    let told = |variables: &[u8], start: &str, text: &str| {
        let mut each = variables.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        each.any(|variable| variable.starts_with(start) && variable.contains(text))
    };
    let is_one = |process: &u32| {
        std::fs::read(format!("/proc/{process}/environ")).is_ok_and(|variables| {
            told(&variables, "API_ENDPOINTS=", door)
                && told(&variables, "AWS_LAMBDA_FUNCTION_NAME=", function)
        })
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_one).collect()
}

/// The processes of a function of a platform.
pub fn of(app: &App, function: &str) -> Vec<u32> {
    processes(&door(app), function)
}

/// What only this platform tells its functions.
fn door(app: &App) -> String {
    format!("eu={},", app.by_way_of(Region::Eu).api_url())
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

fn signal(signal: &str, process: u32) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {process}")).status().unwrap();
    assert!(sent.success());
}

/// Whether a process has ended as far as its parent can tell: it may hold connections for a while after its memory is gone.
fn is_dead(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    status.map_or(true, |status| status.contains("State:\tZ") && status.contains("\nThreads:\t1\n"))
}

const CHECK: &str = "/api/username/check?username=somebody-new";

/// Has the next call of that function to AWS never answered.
async fn stall(app: &App, times: u32) {
    let fault =
        json!([{ "service": "dynamodb", "function": "username-check", "kind": "stall", "times": times }]);
    app.faults(fault).await;
}

/// A request whose function waits for AWS.
async fn under_way(app: &App) -> tokio::task::JoinHandle<tests::Answer> {
    let before = app.last_call().await;
    let asking = app.clone();
    let request = tokio::spawn(async move { asking.get(CHECK).await });
    // A stalled call is written down once it is over: the process is there before.
    until("no instance was started", || !of(app, "username-check").is_empty()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.calls_of("username-check", before).await, Vec::<tests::Value>::new());
    request
}

fn is_failure(answer: &tests::Answer) {
    let failure = json!({ "message": "Internal Server Error" });
    assert_eq!((answer.status, &answer.body), (500, &failure), "{}", answer.text);
}

#[tokio::test]
async fn parallel_requests_have_own_processes_that_are_reused() {
    let (app, _programs) = start().await;
    stall(&app, 0).await;
    let requests: Vec<_> = (0..3).map(|_| app.clone()).collect();
    let requests: Vec<_> =
        requests.into_iter().map(|app| tokio::spawn(async move { app.get(CHECK).await })).collect();
    until("three requests did not get three processes", || of(&app, "username-check").len() == 3).await;
    for request in requests {
        assert_eq!(request.await.unwrap().brief(), "503 UNAVAILABLE");
    }
    app.no_faults().await;
    for _ in 0..3 {
        app.get(CHECK).await.expect(200);
    }
    assert_eq!(of(&app, "username-check").len(), 3);
    app.stop().await;
    assert_eq!(of(&app, ""), Vec::<u32>::new());
}

#[tokio::test]
async fn a_process_that_dies_fails_its_request_and_no_other() {
    let (app, _programs) = start().await;
    app.get(CHECK).await.expect(200);
    let first = of(&app, "username-check")[0];
    stall(&app, 1).await;
    let request = under_way(&app).await;
    signal("KILL", first);
    is_failure(&request.await.unwrap());
    app.no_faults().await;
    app.get(CHECK).await.expect(200);
    let second = of(&app, "username-check")[0];
    // One that dies while nobody uses it is missed by nobody.
    signal("KILL", second);
    until("it did not die", || is_dead(second)).await;
    app.get(CHECK).await.expect(200);
}

#[tokio::test]
async fn a_process_that_takes_too_long_is_killed() {
    let (app, _programs) = start().await;
    app.get(CHECK).await.expect(200);
    let process = of(&app, "username-check")[0];
    signal("STOP", process);
    let began = Instant::now();
    is_failure(&app.get(CHECK).await);
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!of(&app, "username-check").contains(&process));
    app.get(CHECK).await.expect(200);
}

#[tokio::test]
async fn an_error_of_a_worker_is_told_and_its_process_lives_on() {
    let (app, _programs) = start().await;
    for _ in 0..2 {
        let refused = app.post("/_local/run/send-mail", json!({ "detail": 1 })).await.expect(502);
        assert!(refused.text_at("/errorMessage").contains("invalid type"), "{}", refused.text);
    }
    assert_eq!(of(&app, "send-mail").len(), 1);
    app.post("/_local/run/reap-claims?region=eu", json!({})).await.expect(200);
}

#[tokio::test]
async fn the_clock_moves_for_binaries_too_or_not_at_all() {
    let (app, _programs) = start().await;
    app.sign_up("eve14@people.example").await.expect(202);
    let code = app.code("eve14@people.example").await;
    let moved = app.post("/_local/clock", json!({ "advanceSeconds": -86_400 })).await;
    if moved.status == 501 {
        assert!(moved.text.contains("libfaketime"), "{}", moved.text);
        return;
    }
    let shown: domain::Timestamp = moved.expect(200).text_at("/now").parse().unwrap();
    let form = json!({ "email": "eve14@people.example", "code": code, "password": PASSWORD });
    let tokens = app.post("/api/auth/verify", form).await.expect(200);
    let eve = tests::Person::new(app.clone(), "eve14", "eve14@people.example", &tokens);
    let claims = eve.token.split('.').nth(1).and_then(domain::secret::decode_base64).unwrap();
    let claims: tests::Value = serde_json::from_slice(&claims).unwrap();
    let late = claims["iat"].as_i64().unwrap() - shown.as_second();
    assert!((0..10).contains(&late), "{late} s");
}

/// The headers of an answer as they come over the wire.
fn headers(url: &str, request: &str) -> Vec<String> {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = head.lines().skip(1).map(name).collect();
    names.sort_unstable();
    names
}

async fn sign_in_headers(app: App) -> Vec<String> {
    app.user("fay14").await;
    let form = json!({ "email": "fay14@people.example", "password": PASSWORD }).to_string();
    let length = form.len();
    let head =
        "POST /api/auth/sign-in?session=cookie HTTP/1.1\r\nHOST: x\r\nCONTENT-type: application/json\r\n";
    let request = format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{form}");
    let url = app.api_url().to_owned();
    let names = tokio::task::spawn_blocking(move || headers(&url, &request)).await.unwrap();
    app.stop().await;
    names
}

#[tokio::test]
async fn binary_and_library_answer_with_the_same_headers() {
    let library = sign_in_headers(App::in_process().await).await;
    assert_eq!(library.iter().filter(|name| *name == "set-cookie").count(), 3, "{library:?}");
    let programs = programs();
    assert_eq!(sign_in_headers(App::of_binaries(programs.path()).await).await, library);
}

#[tokio::test]
async fn a_folder_without_all_programs_is_said_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let binaries = Some(folder.path().join("target"));
    let leading_keys = tests::leading_keys();
    let options = Options {
        port: 0,
        data,
        aws: None,
        binaries,
        leading_keys,
        origins: Vec::new(),
        accepts_feedback: true,
        breached_passwords: None,
    };
    let refused = Platform::start(options).await.err().unwrap();
    let refused = refused.to_string();
    assert!(refused.contains("auth-sign-in") && refused.contains("bootstrap"), "{refused}");
}

const VICTIM: &str = "ACCOUNT_TEST_VICTIM";

/// Not a test of its own: the platform that is killed. It tells its door.
#[tokio::test]
#[ignore = "started by the test below"]
async fn victim() {
    let Some(programs) = std::env::var_os(VICTIM) else { return };
    let app = App::of_binaries(Path::new(&programs)).await;
    app.get(CHECK).await.expect(200);
    app.get("/.well-known/jwks.json").await.expect(200);
    stall(&app, 0).await;
    let _request = under_way(&app).await;
    eprintln!("\nready {}", door(&app));
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_platform_that_is_killed_leaves_no_process_behind() {
    let programs = programs();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["binaries::victim", "--exact", "--ignored", "--nocapture"])
        .env(VICTIM, programs.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines().map_while(Result::ok);
    let ready = |line: String| line.strip_prefix("ready ").map(str::to_owned);
    let door = lines.find_map(ready).unwrap();
    assert!(processes(&door, "").len() >= 2);
    // On Unix this is SIGKILL.
    victim.kill().unwrap();
    victim.wait().unwrap();
    until("processes were left", || processes(&door, "").is_empty()).await;
}
