//! Calls of endpoints that only other regions may call: typed as the endpoint is.

use std::time::Duration;

use domain::{
    ports::{Failure, Outcome},
    region::Region,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{endpoint::Endpoint, input::Body, region_client::RegionClient};

impl RegionClient {
    /// Calls the endpoint `E` of another region.
    ///
    /// # Errors
    ///
    /// As [`RegionClient::send`].
    pub async fn ask<E, I>(&self, region: Region, input: &I, within: Duration) -> Outcome<E::Output>
    where
        E: Endpoint<Input = Body<I>>,
        E::Output: DeserializeOwned,
        I: Serialize,
    {
        let broken = |error: serde_json::Error| Failure::Broken(format!("{}: {error}", E::SPEC.id));
        let body = serde_json::to_vec(input).map_err(broken)?;
        serde_json::from_slice(&self.send(region, &E::SPEC, body, within).await?).map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use bytes::Bytes;
    use domain::{Timestamp, entropy::Entropy, ports::ForwardingKeys, secret::MacKey};
    use http::{Request, Response};
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::{
        access::Access,
        call::RequestContext,
        caller::OtherRegion,
        clock::Clock,
        endpoint::Output,
        forwarding::{ForwardedRequest, Regions},
        ports::Ports,
        region_client::BRIEFLY,
        spec::{Method::Post, Spec, spec},
    };

    struct Double;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Number {
        number: u32,
    }
    impl Output for Number {}

    impl Endpoint for Double {
        const SPEC: Spec = spec("double", Post, "/internal/regions/double").access(Access::region());
        type Caller = OtherRegion;
        type Deps = ();
        type Input = Body<Number>;
        type Output = Number;
        type Error = Failure;

        fn deps(_: &impl Ports) {}

        async fn handle(
            (): &(),
            _: &RequestContext<OtherRegion>,
            Body(Number { number }): Self::Input,
        ) -> Result<Number, Failure> {
            Ok(Number { number: 2 * number })
        }
    }

    /// A region that answers with this status, and what it was asked.
    struct Answers(u16, Mutex<Vec<Request<Bytes>>>);

    #[async_trait]
    impl Regions for Answers {
        async fn send(
            &self,
            _: Region,
            request: Request<Bytes>,
            repeatable: bool,
            _: Duration,
        ) -> Outcome<Response<Bytes>> {
            assert!(repeatable);
            self.1.lock().unwrap().push(request);
            Ok(Response::builder().status(self.0).body(Bytes::from_static(b"{\"number\":42}")).unwrap())
        }
    }

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_790_000_000).unwrap()
        }
    }

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[async_trait]
    impl ForwardingKeys for Fixed {
        async fn forwarding_key(&self, _: Timestamp) -> Outcome<MacKey> {
            Ok(MacKey::of("key"))
        }
    }

    async fn ask(status: u16) -> (Outcome<Number>, Request<Bytes>) {
        let region = Arc::new(Answers(status, Mutex::default()));
        let client = RegionClient::new(region.clone(), Arc::new(Fixed), Arc::new(Fixed), Arc::new(Fixed));
        let answer = client.ask::<Double, _>(Region::Ap, &Number { number: 21 }, BRIEFLY).await;
        let sent = region.1.lock().unwrap().pop().unwrap();
        (answer, sent)
    }

    #[tokio::test]
    async fn request_is_signed_for_its_receiver() {
        let (answer, sent) = ask(200).await;
        assert_eq!(answer.unwrap().number, 42);
        assert_eq!((sent.method().as_str(), sent.uri().path()), ("POST", "/internal/regions/double"));
        assert_eq!(sent.body(), "{\"number\":21}");
        for (receiver, is_read) in [(Region::Ap, true), (Region::Eu, false)] {
            let read = ForwardedRequest::read(&Fixed, &sent, receiver, Fixed.now()).await;
            let read = read.ok().flatten();
            assert_eq!(read.is_some_and(|read| !read.is_settled()), is_read, "{receiver}");
        }
    }

    #[tokio::test]
    async fn every_answer_but_a_success_is_a_failure() {
        for status in [400, 401, 404, 500, 503] {
            let (answer, _) = ask(status).await;
            assert!(matches!(answer, Err(Failure::Unavailable { service: "ap", .. })), "{status}");
        }
    }
}
