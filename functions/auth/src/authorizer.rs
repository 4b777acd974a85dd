//! `authorizer`: tells API Gateway who calls another service of the platform: an API key or a session in, an identity out
//! ([payload format 2.0, simple response]). A key costs one read and no KMS call. Callers of another region are refused: there
//! is nobody to ask here.
//!
//! [payload format 2.0, simple response]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html

use std::collections::HashMap;

use domain::{ports::Failure, user::personal_workspace};
use kit::{
    Grant, Items, Job, Kit, Ports, Problem, Trigger, Worker, WorkerSpec,
    caller::{verify_key, verify_token},
    worker,
};
use serde::{Deserialize, Serialize};

/// Identifies callers for other services.
pub struct Authorizer;

/// What API Gateway asks.
#[derive(Deserialize)]
pub struct Question {
    #[serde(default)]
    headers: Headers,
}

/// What of a request's headers matters here. API Gateway writes their names in lower case.
#[derive(Default, Deserialize)]
struct Headers {
    authorization: Option<String>,
}

/// What it is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    is_authorized: bool,
    context: HashMap<&'static str, String>,
}

impl Worker for Authorizer {
    const SPEC: WorkerSpec = worker(
        "authorizer",
        Trigger::Authorizer,
        "Tells API Gateway who calls another service",
        &[
            Grant::items("GetItem", Items::KeyHolders),
            Grant::items("BatchGetItem", Items::Sessions),
            Grant::items("BatchGetItem", Items::Workspaces),
            Grant::items("Query", Items::SigningKeys),
        ],
    );
    type Deps = Kit;
    type Event = Question;
    type Result = Answer;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Kit {
        ports.kit()
    }

    async fn handle(kit: &Kit, job: &Job, question: Question) -> Result<Answer, Failure> {
        let header = question.headers.authorization.unwrap_or_default();
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else { return Ok(refused()) };
        let identity =
            if token.starts_with("ul_") { key(kit, token).await } else { session(kit, job, token).await };
        match identity {
            Ok(context) => Ok(Answer { is_authorized: true, context }),
            Err(problem) if problem.code == kit::Code::Unauthorized => Ok(refused()),
            // Neither yes nor no: API Gateway answers 500 and the caller tries again.
            Err(problem) => {
                Err(Failure::Unavailable { service: "authorizer", detail: problem.code.as_str().to_owned() })
            }
        }
    }
}

fn refused() -> Answer {
    Answer { is_authorized: false, context: HashMap::new() }
}

async fn key(kit: &Kit, token: &str) -> Result<HashMap<&'static str, String>, Problem> {
    let holder = verify_key(kit, token).await?;
    Ok(HashMap::from([
        ("userId", holder.owner.into()),
        ("workspaceId", holder.workspace.into()),
        ("username", holder.handle.to_string()),
        ("region", holder.region.to_string()),
        ("keyId", holder.key.into()),
    ]))
}

async fn session(kit: &Kit, job: &Job, token: &str) -> Result<HashMap<&'static str, String>, Problem> {
    let claims = verify_token(kit, token, job.now).await?;
    let over = || Problem::unauthorized("This session has ended.");
    if claims.iss != kit.region {
        return Err(over());
    }
    let standing = kit.sessions.standing(claims.sub, claims.sid, personal_workspace(claims.sub)).await?;
    let standing = standing.filter(|standing| standing.session.is_live(job.now)).ok_or_else(over)?;
    let workspace = standing.workspace.ok_or_else(over)?;
    Ok(HashMap::from([
        ("userId", claims.sub.into()),
        ("workspaceId", workspace.id.into()),
        ("username", workspace.handle.to_string()),
        ("region", workspace.region.to_string()),
    ]))
}
