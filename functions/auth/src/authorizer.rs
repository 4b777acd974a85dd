//! `authorizer`: authenticates requests to other services for API Gateway, with an API key or a session ([payload
//! format 2.0, simple response]). A key costs one read and no KMS call; a team's key costs one more read, of the team's
//! owner. Callers of another region are refused, because the authorizer does not forward requests.
//!
//! [payload format 2.0, simple response]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html

use domain::{
    handle::Handle,
    id::{KeyId, UserId, WorkspaceId},
    ports::Failure,
    region::Region,
    user::personal_workspace,
};
use kit::{
    Ports, Problem, RunContext, Services, Stop, Trigger, Worker, WorkerSpec,
    authentication::{owner_of, verify_key, verify_token},
    grants::{api_keys, directory, sessions},
    worker,
};
use serde::{Deserialize, Serialize};

/// Authenticates callers for other services.
pub struct Authorizer;

/// The request of API Gateway.
#[derive(Deserialize)]
pub struct AuthorizerRequest {
    #[serde(default)]
    headers: Headers,
}

/// The relevant headers of a request. API Gateway sends names in lower case.
#[derive(Default, Deserialize)]
struct Headers {
    authorization: Option<String>,
}

/// The response to API Gateway.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerResponse {
    is_authorized: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Caller>,
}

/// The caller, for the services that API Gateway passes the request to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller {
    user_id: UserId,
    workspace_id: WorkspaceId,
    username: Handle,
    region: Region,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
}

impl Worker for Authorizer {
    const SPEC: WorkerSpec = worker(
        "authorizer",
        Trigger::Authorizer,
        "Authenticates requests to other services for API Gateway",
        &[directory::SIGNING_KEYS, sessions::CONTEXT, api_keys::HOLDER],
    );
    type Deps = Services;
    type Event = AuthorizerRequest;
    type Result = AuthorizerResponse;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Services {
        ports.services()
    }

    async fn handle(
        services: &Services,
        job: &RunContext,
        question: AuthorizerRequest,
    ) -> Result<AuthorizerResponse, Failure> {
        let header = question.headers.authorization.unwrap_or_default();
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else { return Ok(refused()) };
        let identity = if token.starts_with("ul_") {
            key(services, token).await
        } else {
            session(services, job, token).await
        };
        match identity {
            Ok(caller) => Ok(AuthorizerResponse { is_authorized: true, context: Some(caller) }),
            Err(Stop::Problem(problem)) if problem.code == kit::Code::Unauthorized => Ok(refused()),
            // The decision is unknown: API Gateway returns 500 and the caller retries.
            Err(stop) => {
                let problem = stop.into_problem();
                let detail = problem.inside.unwrap_or_else(|| problem.code.as_str().to_owned());
                Err(Failure::Unavailable { service: "authorizer", detail })
            }
        }
    }
}

fn refused() -> AuthorizerResponse {
    AuthorizerResponse { is_authorized: false, context: None }
}

async fn key(services: &Services, token: &str) -> Result<Caller, Stop> {
    let holder = verify_key(services, token).await?;
    let owner = owner_of(services, &holder).await?;
    Ok(Caller {
        user_id: owner,
        workspace_id: holder.workspace,
        username: holder.handle,
        region: holder.region,
        key_id: Some(holder.key),
    })
}

async fn session(services: &Services, job: &RunContext, token: &str) -> Result<Caller, Stop> {
    let claims = verify_token(services, token, job.now).await?;
    let over = || Problem::unauthorized("This session has ended.");
    if claims.iss != services.region {
        return Err(over().into());
    }
    let context = services.sessions.context(claims.sub, claims.sid, personal_workspace(claims.sub)).await?;
    let context = context.filter(|context| context.session.is_live(job.now)).ok_or_else(over)?;
    let workspace = context.workspace.ok_or_else(over)?;
    Ok(Caller {
        user_id: claims.sub,
        workspace_id: workspace.id,
        username: workspace.handle,
        region: workspace.region,
        key_id: None,
    })
}
