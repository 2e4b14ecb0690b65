import type { XmlObject } from "../protocol/xml.ts";
import { instanceProfileId } from "../state/ids.ts";
import { accountId, vpcId, type Instance, type InstanceState, type State } from "../state/schema.ts";
import { coresOf, instanceTypeNamed } from "../instance-types.ts";
import { spotRequestIdOf } from "./market.ts";
import { placementXml } from "./placement.ts";
import { tagSet } from "./tags.ts";

export const stateCodes: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  "shutting-down": 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

/** The state of an instance as EC2 writes it. */
export function stateXml(state: InstanceState): XmlObject {
  return { code: stateCodes[state], name: state };
}

/** One reservation with the given instances of it. */
export function reservationXml(state: State, instances: readonly Instance[]): XmlObject {
  return {
    reservationId: instances[0]?.reservationId,
    ownerId: accountId,
    groupSet: [],
    instancesSet: instances.map((instance) => instanceXml(state, instance)),
  };
}

/** The name under which an instance's network knows it. */
export function privateDnsName(instance: Pick<Instance, "privateAddress" | "region">): string {
  return `ip-${instance.privateAddress.replaceAll(".", "-")}.${instance.region}.compute.internal`;
}

function instanceXml(state: State, instance: Instance): XmlObject {
  const isGone = instance.state === "terminated";
  const { volume } = instance;
  return {
    instanceId: instance.id,
    imageId: instance.imageId,
    instanceState: stateXml(instance.state),
    privateDnsName: isGone ? "" : privateDnsName(instance),
    // Has to be something that resolves, and nothing resolves but the address.
    dnsName: isGone ? "" : (instance.publicAddress ?? ""),
    reason: instance.transitionReason,
    keyName: instance.key?.name,
    amiLaunchIndex: instance.launchIndex,
    productCodes: [],
    instanceType: instance.type,
    launchTime: new Date(instance.launchedAt),
    placement: placementXml(state, instance),
    monitoring: { state: "disabled" },
    ...(isGone
      ? {}
      : {
          subnetId: instance.subnetId,
          vpcId,
          privateIpAddress: instance.privateAddress,
          ipAddress: instance.publicAddress,
          sourceDestCheck: true,
          groupSet: groupsXml(state, instance),
          networkInterfaceSet: [networkInterfaceXml(state, instance)],
        }),
    stateReason: instance.stateReason === undefined ? undefined : { ...instance.stateReason },
    architecture: instance.architecture,
    rootDeviceType: "ebs",
    rootDeviceName: volume.deviceName,
    blockDeviceMapping: isGone
      ? []
      : [
          {
            deviceName: volume.deviceName,
            ebs: {
              volumeId: volume.id,
              status: "attached",
              attachTime: new Date(volume.createdAt),
              deleteOnTermination: volume.deleteOnTermination,
            },
          },
        ],
    virtualizationType: "hvm",
    clientToken: instance.clientToken ?? "",
    tagSet: tagSet(instance.tags),
    hypervisor: "xen",
    ebsOptimized: instance.ebsOptimized ?? false,
    instanceLifecycle: instance.spot === true ? "spot" : undefined,
    spotInstanceRequestId: spotRequestIdOf(instance),
    iamInstanceProfile:
      instance.profileArn === undefined
        ? undefined
        : { arn: instance.profileArn, id: instanceProfileId(instance.profileArn) },
    enaSupport: true,
    cpuOptions: cpuOptionsXml(instance),
    metadataOptions: {
      state: "applied",
      httpTokens: instance.metadata.tokensRequired ? "required" : "optional",
      httpPutResponseHopLimit: instance.metadata.hopLimit,
      httpEndpoint: instance.metadata.enabled ? "enabled" : "disabled",
      httpProtocolIpv6: "disabled",
      instanceMetadataTags: instance.metadata.tags ? "enabled" : "disabled",
    },
  };
}

function cpuOptionsXml({ type: name }: Instance): XmlObject {
  const type = instanceTypeNamed(name);
  return type === undefined
    ? { coreCount: 1, threadsPerCore: 1 }
    : { coreCount: coresOf(type), threadsPerCore: type.threadsPerCore };
}

/** The security groups of an instance, as they are now. */
export function groupsXml(state: State, instance: Instance): XmlObject[] {
  return instance.groupIds.map((groupId) => ({
    groupId,
    groupName: state.securityGroups.find(({ id }) => id === groupId)?.name,
  }));
}

function networkInterfaceXml(state: State, instance: Instance): XmlObject {
  const isElastic = state.addresses.some(({ association: it }) => it?.instanceId === instance.id);
  const association =
    instance.publicAddress === undefined
      ? undefined
      : {
          publicIp: instance.publicAddress,
          publicDnsName: instance.publicAddress,
          ipOwnerId: isElastic ? accountId : "amazon",
        };
  const privateName = privateDnsName(instance);
  return {
    networkInterfaceId: instance.id.replace(/^i-/, "eni-"),
    subnetId: instance.subnetId,
    vpcId,
    description: "",
    ownerId: accountId,
    status: "in-use",
    macAddress: instance.mac,
    privateIpAddress: instance.privateAddress,
    privateDnsName: privateName,
    sourceDestCheck: true,
    groupSet: groupsXml(state, instance),
    attachment: {
      attachmentId: instance.id.replace(/^i-/, "eni-attach-"),
      deviceIndex: 0,
      status: "attached",
      attachTime: new Date(instance.launchedAt),
      deleteOnTermination: true,
      networkCardIndex: 0,
    },
    association,
    privateIpAddressesSet: [
      { privateIpAddress: instance.privateAddress, privateDnsName: privateName, primary: true, association },
    ],
    ipv6AddressesSet: [],
    interfaceType: "interface",
  };
}
