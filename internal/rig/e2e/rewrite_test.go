//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

type object = map[string]any

// rewriteForEmulator rewrites the root template of an assembly that was not published
// yet, because the emulator refuses three of its resource types. It takes away the
// IPv6 addresses of the VPC and the way out of it, which the emulator would not use:
// it runs functions outside of any VPC. A serverless cache becomes a replication group.
// Tests of the CDK app check every property that is lost here.
func rewriteForEmulator(tb testing.TB, assembly string) {
	tb.Helper()
	path := filepath.Join(assembly, stackName+".template.json")
	content, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var template object
	if err := json.Unmarshal(content, &template); err != nil {
		tb.Fatal(err)
	}
	resources := template["Resources"].(object)
	var removed, caches []string
	for id, value := range resources {
		r := value.(object)
		properties, _ := r["Properties"].(object)
		switch r["Type"] {
		case "AWS::EC2::VPCCidrBlock", "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::Route":
			removed = append(removed, id)
		case "AWS::EC2::Subnet":
			delete(properties, "Ipv6CidrBlock")
			delete(properties, "AssignIpv6AddressOnCreation")
		case "AWS::ElastiCache::ServerlessCache":
			caches = append(caches, id)
			resources[id] = object{"Type": "AWS::ElastiCache::ReplicationGroup", "Properties": object{
				"ReplicationGroupDescription": properties["Description"], "Engine": properties["Engine"], "CacheNodeType": "cache.t4g.small",
				"ClusterMode": "enabled", "NumNodeGroups": 1, "ReplicasPerNodeGroup": 1, "AutomaticFailoverEnabled": true,
				"SecurityGroupIds": properties["SecurityGroupIds"], "TransitEncryptionEnabled": true,
			}}
		}
	}
	if len(removed) == 0 || len(caches) != 1 {
		tb.Fatalf("the template has %d resources to remove and %d serverless caches", len(removed), len(caches))
	}
	for _, id := range removed {
		delete(resources, id)
	}
	for _, value := range resources {
		r := value.(object)
		if depends, ok := r["DependsOn"].([]any); ok {
			r["DependsOn"] = slices.DeleteFunc(depends, func(id any) bool { return slices.Contains(removed, id.(string)) })
		}
		if id, ok := r["DependsOn"].(string); ok && slices.Contains(removed, id) {
			delete(r, "DependsOn")
		}
	}
	readAsReplicationGroup(template, caches[0])
	if content, err = json.Marshal(template); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// readAsReplicationGroup changes the attributes of a cache that a template refers to
// into those of a replication group.
func readAsReplicationGroup(value any, cache string) {
	attributes := map[string]string{"Endpoint.Address": "ConfigurationEndPoint.Address", "Endpoint.Port": "ConfigurationEndPoint.Port"}
	switch v := value.(type) {
	case object:
		if get, ok := v["Fn::GetAtt"].([]any); ok && len(get) == 2 && get[0] == cache {
			if attribute, ok := attributes[get[1].(string)]; ok {
				get[1] = attribute
			}
		}
		for _, child := range v {
			readAsReplicationGroup(child, cache)
		}
	case []any:
		for _, child := range v {
			readAsReplicationGroup(child, cache)
		}
	}
}
