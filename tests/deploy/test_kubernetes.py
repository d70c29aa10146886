"""The Kubernetes files fit together: selectors, ports, secrets, probes, and who may reach what."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantmatrix.common.runtime.database import POOL_CLOSES_S
from quantmatrix.common.runtime.permissions import USERS
from quantmatrix.common.runtime.service import BROKER_STOPS_S, DOORS_CLOSE_S
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.common.runtime.subscribing import GRACEFUL_S
from quantmatrix.operations.documents.commands import commands_of_qm

Read = Callable[[Path], list[dict[str, Any]]]
DEPLOY = Path(__file__).parents[2] / "deploy"
K8S = DEPLOY / "k8s"
FOREIGN = re.compile(r"^POSTGRES_")
EXCLUSIVE = {"market", "execution"}


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"]["template"] for one in objects if one["kind"] in ("Deployment", "StatefulSet", "Job")}


def containers(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]


def test_there_is_a_deployment_for_every_service(kubernetes: list[dict[str, Any]]) -> None:
    deployments = of_kind(kubernetes, "Deployment")

    assert set(deployments) == {*SERVICES, "worker"}
    for service in SERVICES:
        one = deployments[service]
        assert one["spec"]["template"]["spec"]["containers"][0]["command"] == ["python", "-m", f"quantmatrix.{service}"]


def test_work_of_one_process_is_never_rolled_over_by_two(kubernetes: list[dict[str, Any]]) -> None:
    deployments = of_kind(kubernetes, "Deployment")
    for service in SERVICES:
        one = deployments[service]
        assert one["spec"]["replicas"] == 1
        if service in EXCLUSIVE:
            assert one["spec"]["strategy"]["type"] == "Recreate"
        else:
            assert one["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0


def test_a_pod_is_given_longer_than_its_service_takes_to_stop(kubernetes: list[dict[str, Any]]) -> None:
    """Doors, the bus with its handlers, the pool: one after the other, each with its own end. What is cut comes again, later."""
    takes_s = DOORS_CLOSE_S + GRACEFUL_S + BROKER_STOPS_S + POOL_CLOSES_S

    for name, template in pods(kubernetes).items():
        if name in SERVICES:
            assert template["spec"]["terminationGracePeriodSeconds"] > takes_s, name


def test_selectors_find_the_pods_they_are_meant_for(kubernetes: list[dict[str, Any]]) -> None:
    templates = pods(kubernetes)
    for kind in ("Deployment", "StatefulSet", "Service", "PodDisruptionBudget"):
        for name, one in of_kind(kubernetes, kind).items():
            selector = one["spec"]["selector"]
            wanted = selector.get("matchLabels", selector) if kind != "Service" else selector
            found = [pod for pod, template in templates.items() if wanted.items() <= template["metadata"]["labels"].items()]

            assert found == [name], f"{kind} {name}"


def test_services_lead_to_ports_that_exist(kubernetes: list[dict[str, Any]]) -> None:
    templates = pods(kubernetes)
    for name, one in of_kind(kubernetes, "Service").items():
        known = {port["name"]: port["containerPort"] for container in containers(templates[name]) for port in container.get("ports", ())}
        for port in one["spec"]["ports"]:
            assert known[port["targetPort"]] == port["port"]


def test_every_variable_is_a_setting(kubernetes: list[dict[str, Any]], settings: frozenset[str], read_yaml: Read) -> None:
    named = [
        variable["name"]
        for template in pods(kubernetes).values()
        for container in containers(template)
        for variable in container.get("env", ())
    ]
    named += [key for one in of_kind(kubernetes, "ConfigMap").values() for key in one["data"]]
    named += list(read_yaml(K8S / "overlays" / "production" / "configuration.yaml")[0]["data"])

    assert sorted({name for name in named if not FOREIGN.match(name) and name not in settings}) == []


def test_secrets_that_pods_read_are_the_ones_the_script_hands_over(kubernetes: list[dict[str, Any]]) -> None:
    script = (K8S / "make-secrets.sh").read_text(encoding="utf-8")
    for name, template in pods(kubernetes).items():
        for volume in template["spec"]["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] == f"quantmatrix-{name}"
                assert f"quantmatrix-{name}" in script or name in SERVICES
    nats = next(one for one in containers(pods(kubernetes)["nats"]))
    assert {variable["name"] for variable in nats["env"]} == {f"QM_NATS_{user.upper()}_PASSWORD" for user in USERS}


def test_probes_ask_what_services_answer(kubernetes: list[dict[str, Any]]) -> None:
    for service in SERVICES:
        container = pods(kubernetes)[service]["spec"]["containers"][0]

        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
        assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}


def test_preparation_calls_commands_that_qm_has(kubernetes: list[dict[str, Any]]) -> None:
    called = [container["command"] for container in containers(pods(kubernetes)["prepare"])]

    assert [program for program, _ in called] == ["qm"] * 3
    assert [command for _, command in called] == ["bootstrap", "migrate", "provision"]
    assert {command for _, command in called} <= commands_of_qm()


def test_containers_are_closed(kubernetes: list[dict[str, Any]]) -> None:
    for name, template in pods(kubernetes).items():
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert template["spec"]["automountServiceAccountToken"] is False, name
        for container in containers(template):
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            if name != "postgres":
                assert container["securityContext"]["readOnlyRootFilesystem"] is True, name


def test_only_execution_and_notify_have_a_way_out(kubernetes: list[dict[str, Any]]) -> None:
    """Execution reaches brokers, notify reaches webhooks; nobody else has a rule with addresses outside."""
    policies = of_kind(kubernetes, "NetworkPolicy")
    with_addresses = {
        name: one["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name")
        for name, one in policies.items()
        if any("ipBlock" in peer for rule in one["spec"].get("egress", ()) for peer in rule.get("to", ()))
    }
    unnamed = [name for name, one in policies.items() for rule in one["spec"].get("egress", ()) if "to" not in rule and 443 in _ports(rule)]

    assert policies["nothing-by-default"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert with_addresses == {"execution-to-brokers": "execution", "notify-to-webhooks": "notify"}
    assert unnamed == []


def _ports(rule: dict[str, Any]) -> set[int]:
    return {port["port"] for port in rule["ports"]}


def test_policies_select_pods_that_exist(kubernetes: list[dict[str, Any]]) -> None:
    names = {template["metadata"]["labels"]["app.kubernetes.io/name"] for template in pods(kubernetes).values()}
    for policy in of_kind(kubernetes, "NetworkPolicy").values():
        selector = policy["spec"]["podSelector"]
        wanted = {value for expression in selector.get("matchExpressions", ()) for value in expression["values"]}
        wanted |= {value for key, value in selector.get("matchLabels", {}).items() if key == "app.kubernetes.io/name"}

        assert wanted <= names


def test_kustomizations_list_files_that_are_there(read_yaml: Read) -> None:
    for path in K8S.rglob("kustomization.yaml"):
        whole = read_yaml(path)[0]
        listed = [*whole["resources"], *(patch["path"] for patch in whole.get("patches", ()))]
        beside = {one.name for one in path.parent.glob("*.yaml")} - {"kustomization.yaml"}

        assert all((path.parent / name).exists() for name in listed)
        assert {name for name in listed if not name.startswith("..")} == beside


@pytest.mark.parametrize("overlay", ["paper", "production"])
def test_overlays_build(overlay: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed here")

    done = subprocess.run([kubectl, "kustomize", str(K8S / "overlays" / overlay)], capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kind: Deployment") == len(SERVICES) + 1


def test_a_worker_reaches_the_bus_alone_and_reads_one_password(kubernetes: list[dict[str, Any]]) -> None:
    container = containers(pods(kubernetes)["worker"])[0]
    policy = of_kind(kubernetes, "NetworkPolicy")["worker-to-the-bus"]["spec"]
    servers = of_kind(kubernetes, "NetworkPolicy")["services-to-servers"]["spec"]["podSelector"]["matchExpressions"][0]["values"]

    assert container["command"] == ["qm", "worker"] and "worker" in commands_of_qm()
    assert [variable["name"] for variable in container["env"]] == ["QM_NATS_WORKER_PASSWORD_FILE"]
    assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "worker"} and "worker" not in servers
    assert policy["egress"] == [{"ports": [{"port": 4222, "protocol": "TCP"}]}]


def test_the_keda_example_scales_a_deployment_that_exists(kubernetes: list[dict[str, Any]], read_yaml: Read) -> None:
    example = read_yaml(K8S / "examples" / "keda-night.yaml")[0]

    assert example["spec"]["scaleTargetRef"]["name"] in of_kind(kubernetes, "Deployment")
    assert example["spec"]["maxReplicaCount"] == 1
